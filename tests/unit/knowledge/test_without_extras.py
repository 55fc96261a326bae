"""What is loaded when, and what is said where something is not installed: each in a fresh process."""

import subprocess
import sys
import textwrap

import pytest

HIDE = """
import sys
from importlib.machinery import PathFinder

hidden = set(sys.argv[1].split(","))

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""

UNREACHABLE = """
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print("asked the network")
        raise OSError("there is no network")

sys.addaudithook(refuse)
"""


def run(code: str, hidden: str = "nothing") -> str:
    done = subprocess.run(
        [sys.executable, "-c", HIDE + textwrap.dedent(code), hidden],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_knowledge_base_loads_neither_the_model_nor_the_index() -> None:
    loaded = run("""
        import socrates.knowledge.knowledge_base
        print(sorted({"sentence_transformers", "transformers", "torch", "chromadb"} & set(sys.modules)))
    """)
    assert loaded.strip() == "[]"


def test_the_data_layer_and_the_command_line_work_without_the_extra() -> None:
    code = "import socrates.cli.main; from socrates import Store; print(Store)"
    assert run(code, "numpy,chromadb,sentence_transformers,pypdf,docx")


def test_importing_without_the_extra_says_what_to_install() -> None:
    for missing in ("numpy", "chromadb"):
        said = run(
            """
            from socrates.errors import ConfigurationError
            try:
                import socrates.knowledge.knowledge_base
            except ConfigurationError as error:
                print(error)
            """,
            missing,
        )
        assert "pip install 'socrates[knowledge]'" in said


EMBED = """
import asyncio
from socrates.errors import ConfigurationError
from socrates.knowledge.embedder import SentenceTransformersEmbedder

async def embed():
    embedder = SentenceTransformersEmbedder()
    try:
        print((await embedder.embed(["a question"], "query")).shape)
    except ConfigurationError as error:
        print(error)
    await embedder.close()

asyncio.run(embed())
"""


def test_without_the_models_library_the_first_text_says_what_to_install() -> None:
    assert "pip install 'socrates[knowledge]'" in run(EMBED, "sentence_transformers")


@pytest.mark.long
def test_with_the_packaged_model_nobody_asks_the_network_and_nothing_is_printed() -> None:
    quiet = "import os, sys; os.environ.pop('HF_HUB_OFFLINE', None); sys.stderr = sys.stdout\n"
    assert run(quiet + UNREACHABLE + EMBED).strip() == "(1, 384)"
