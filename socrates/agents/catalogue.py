"""All agents, in the order in which v1 made them."""

from socrates.agents.base import Agent
from socrates.agents.code_generator import CodeGenerator
from socrates.agents.conflict_detector import ConflictDetector
from socrates.agents.context_analyzer import ContextAnalyzer
from socrates.agents.document_agent import DocumentAgent
from socrates.agents.knowledge_manager import KnowledgeManager
from socrates.agents.learning import Learning
from socrates.agents.multi_llm import MultiLLM
from socrates.agents.note_manager import NoteManager
from socrates.agents.project_manager import ProjectManager
from socrates.agents.quality_controller import QualityController
from socrates.agents.question_queue import QuestionQueue
from socrates.agents.socratic_counselor import SocraticCounselor
from socrates.agents.system_monitor import SystemMonitor
from socrates.agents.user_manager import UserManager

AGENTS: tuple[type[Agent], ...] = (
    ProjectManager,
    SocraticCounselor,
    ContextAnalyzer,
    CodeGenerator,
    SystemMonitor,
    ConflictDetector,
    DocumentAgent,
    UserManager,
    NoteManager,
    KnowledgeManager,
    QualityController,
    Learning,
    MultiLLM,
    QuestionQueue,
)
