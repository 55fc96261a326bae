"""One request for every action of the agents, and who may send it; those of an agent can be sent in this order."""

from dataclasses import dataclass, field
from typing import Any, Literal

_PASSCODE = "correct horse battery"

Who = Literal["members", "leads", "owner", "oneself", "administrators", "passcode"]
"""Whom an action is for. `oneself`: anybody, for themselves; `passcode`: whoever knows it, and this is a wrong one."""


@dataclass(frozen=True)
class Case:
    """A request that does what it asks for, when somebody sends it who may: about p1 and what is in it."""

    who: Who
    fields: dict[str, Any] = field(default_factory=dict)
    knows: bool = False
    """It needs a knowledge base."""
    archived: bool = False
    """Somebody who is archived may as well."""
    by: str = ""
    """Who does it at last, where the requests before have left it to somebody else."""


_P1 = {"project_id": "p1"}
_SPEC = {"goals": ["Lend books"]}


def _of_p1(who: Who, *, knows: bool = False, **fields: Any) -> Case:
    return Case(who, _P1 | fields, knows)


CASES: dict[tuple[str, str], Case] = {
    ("project_manager", "create_project"): Case("oneself", {"project_name": "Mine"}),
    ("project_manager", "load_project"): _of_p1("members"),
    ("project_manager", "update_project"): _of_p1("members", goals="Other"),
    ("project_manager", "save_project"): _of_p1("members", goals="Other"),
    ("project_manager", "list_projects"): Case("oneself"),
    ("project_manager", "get_archived_projects"): Case("oneself"),
    ("project_manager", "list_archived"): Case("oneself"),
    ("project_manager", "archive_project"): _of_p1("owner"),
    ("project_manager", "restore_project"): _of_p1("owner"),
    ("project_manager", "add_collaborator"): _of_p1("owner", username="eve"),
    ("project_manager", "update_member_role"): _of_p1("owner", username="bob", role="lead"),
    ("project_manager", "set_member_skills"): _of_p1("owner", username="bob", skills=["sql"]),
    ("project_manager", "list_collaborators"): _of_p1("members"),
    ("project_manager", "remove_collaborator"): _of_p1("owner", username="lee"),
    ("project_manager", "transfer_project"): _of_p1("owner", new_owner="bob"),
    ("project_manager", "delete_project_permanently"): Case("owner", _P1 | {"confirmation": "DELETE"}, by="bob"),
    ("socratic_counselor", "generate_question"): _of_p1("members"),
    ("socratic_counselor", "extract_insights_only"): _of_p1("members", response="It lends books."),
    ("socratic_counselor", "process_response"): _of_p1("members", response="It lends books."),
    ("socratic_counselor", "advance_phase"): _of_p1("leads", confirm=True),
    ("socratic_counselor", "toggle_dynamic_questions"): _of_p1("members"),
    ("socratic_counselor", "provide_hint"): _of_p1("members", question="Why?"),
    ("socratic_counselor", "answer_directly"): _of_p1("members", question="Why?"),
    ("context_analyzer", "analyze_context"): _of_p1("members", conversation=[{"type": "user"}]),
    ("context_analyzer", "get_summary"): _of_p1("members"),
    ("context_analyzer", "find_similar"): _of_p1("members", query="plankton", knows=True),
    ("context_analyzer", "search_conversations"): _of_p1("members", query="plankton"),
    ("context_analyzer", "generate_summary"): _of_p1("members"),
    ("context_analyzer", "get_statistics"): _of_p1("members"),
    ("code_generator", "generate_artifact"): _of_p1("members"),
    ("code_generator", "generate_script"): _of_p1("members"),
    ("code_generator", "generate_documentation"): _of_p1("members"),
    ("system_monitor", "track_tokens"): Case("oneself", {"input_tokens": 5}),
    ("system_monitor", "check_health"): Case("oneself"),
    ("system_monitor", "get_stats"): Case("oneself"),
    ("system_monitor", "check_limits"): Case("oneself"),
    ("conflict_detector", "detect_conflicts"): _of_p1("members", new_insights=_SPEC),
    ("conflict_detector", "list_conflicts"): _of_p1("members"),
    ("conflict_detector", "get_suggestions"): Case("members", {"conflict_id": "c1"}),
    ("conflict_detector", "resolve_conflict"): Case("members", {"conflict_id": "c1", "choice": "replace"}),
    ("document_agent", "import_file"): _of_p1("members", file_path="bees.txt", knows=True),
    ("document_agent", "import_directory"): _of_p1("members", directory_path=".", knows=True),
    ("document_agent", "list_documents"): _of_p1("members"),
    ("document_agent", "delete_document"): _of_p1("owner", source="plankton.txt", knows=True),
    ("user_manager", "create_user"): Case("passcode", {"passcode": _PASSCODE}),
    ("user_manager", "authenticate"): Case("passcode", {"passcode": _PASSCODE}),
    ("user_manager", "log_out"): Case("oneself", archived=True),
    ("user_manager", "get_user"): Case("oneself"),
    ("user_manager", "change_passcode"): Case(
        "passcode", {"old_passcode": _PASSCODE, "new_passcode": "wrong horse battery"}
    ),
    ("user_manager", "set_subscription"): Case("administrators", {"username": "ada", "tier": "free"}),
    ("user_manager", "archive_user"): Case("oneself", {"username": "ada"}),
    ("user_manager", "restore_user"): Case("administrators", {"username": "old"}, archived=True),
    ("user_manager", "delete_user_permanently"): Case("oneself", {"username": "ada", "confirmation": "DELETE"}),
    ("user_manager", "get_archived_users"): Case("administrators"),
    ("note_manager", "add_note"): _of_p1("members", note_type="idea", title="T", content="C"),
    ("note_manager", "list_notes"): _of_p1("members", after="n1"),
    ("note_manager", "search_notes"): _of_p1("members", query="plankton"),
    ("note_manager", "update_note"): Case("owner", {"note_id": "n1", "title": "Other"}),
    ("note_manager", "delete_note"): Case("owner", {"note_id": "n1"}),
    ("knowledge_manager", "suggest_knowledge"): _of_p1("members", content="Bees", category="goals"),
    ("knowledge_manager", "get_suggestions"): _of_p1("members", after="s1"),
    ("knowledge_manager", "approve_suggestion"): _of_p1("leads", suggestion_id="s1", knows=True),
    ("knowledge_manager", "reject_suggestion"): _of_p1("leads", suggestion_id="s2"),
    ("knowledge_manager", "get_queue_status"): _of_p1("members"),
    ("knowledge_manager", "clear_suggestions"): _of_p1("leads", keep_pending=False),
    ("quality_controller", "calculate_maturity"): _of_p1("members"),
    ("quality_controller", "get_readiness"): _of_p1("members"),
    ("quality_controller", "update_after_response"): _of_p1("members", insights=_SPEC),
    ("quality_controller", "get_maturity_summary"): _of_p1("members"),
    ("quality_controller", "verify_advancement"): _of_p1("members", from_phase="discovery"),
    ("quality_controller", "get_history"): _of_p1("members"),
    ("quality_controller", "get_analytics"): _of_p1("members"),
    ("learning", "track_question_effectiveness"): Case("oneself", {"question_template_id": "t"}),
    ("learning", "learn_behavior_pattern"): _of_p1("members", pattern_type="t", pattern_data={"a": 1}),
    ("learning", "recommend_next_question"): Case("oneself", {"available_questions": [{"id": "t"}]}),
    ("learning", "upload_knowledge_document"): _of_p1("members", filename="a.txt", content="Bees", knows=True),
    ("learning", "get_user_profile"): Case("oneself"),
    ("multi_llm", "list_providers"): Case("oneself"),
    ("multi_llm", "get_provider_models"): Case("oneself", {"provider": "claude"}),
    ("multi_llm", "get_provider_config"): Case("oneself"),
    ("multi_llm", "set_default_provider"): Case("oneself", {"provider": "claude"}),
    ("multi_llm", "set_provider_model"): Case("oneself", {"provider": "claude", "model": "haiku"}),
    ("multi_llm", "add_api_key"): Case("oneself", {"provider": "claude", "api_key": "sk-ant-of-somebody"}),
    ("multi_llm", "remove_api_key"): Case("oneself", {"provider": "openai"}),
    ("multi_llm", "track_usage"): Case("oneself", {"provider": "claude", "model": "haiku", "input_tokens": 5}),
    ("multi_llm", "get_usage_stats"): Case("oneself"),
    ("question_queue", "add_question"): _of_p1("members", question="Which books?"),
    ("question_queue", "get_user_questions"): _of_p1("members", username="ada"),
    ("question_queue", "answer_question"): _of_p1("owner", question_id="q1", answer="All"),
    ("question_queue", "skip_question"): _of_p1("owner", question_id="q2"),
    ("question_queue", "get_queue_status"): _of_p1("members"),
}
