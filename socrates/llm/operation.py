"""What the operations ask of a model: their limits and temperatures (llm-client, chapter 3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, by the name under which its calls are accounted."""

    name: str
    max_tokens: int
    temperature: float


GENERATE_RESPONSE = Operation("generate_response", 2000, 0.7)
GENERATE_STRUCTURED = Operation("generate_structured", 1000, 0.3)
STREAM_RESPONSE = Operation("stream_response", 2000, 0.7)
TEST_CONNECTION = Operation("test_connection", 10, 0)

GENERATE_SOCRATIC_QUESTION = Operation("generate_socratic_question", 200, 0.7)
EXTRACT_INSIGHTS = Operation("extract_insights", 1000, 0.3)
GENERATE_SUGGESTIONS = Operation("generate_suggestions", 800, 0.7)
EXPLAIN_INSIGHTS = Operation("explain_insights", 200, 0.7)
ANSWER_QUESTION = Operation("answer_question", 2000, 0.7)
EXPLAIN_TOPIC = Operation("explain_topic", 2000, 0.7)
SUMMARIZE_CONVERSATION = Operation("summarize_conversation", 2000, 0.7)
INTERPRET_COMMAND = Operation("interpret_command", 800, 0.3)

CATEGORIZE_INSIGHTS = Operation("categorize_insights", 1500, 0.2)
DETECT_REQUIREMENT_CONFLICT = Operation("detect_requirement_conflict", 300, 0.2)
DETECT_GOAL_CONFLICT = Operation("detect_goal_conflict", 100, 0.2)
DETECT_CONSTRAINT_CONFLICT = Operation("detect_constraint_conflict", 150, 0.2)
SUGGEST_RESOLUTIONS = Operation("generate_conflict_resolution_suggestions", 600, 0.7)
ASSIGN_QUESTION_ROLES = Operation("assign_question_roles", 100, 0)

GENERATE_CODE = Operation("generate_code", 4000, 0.7)
GENERATE_BUSINESS_PLAN = Operation("generate_business_plan", 4000, 0.7)
GENERATE_RESEARCH_PROTOCOL = Operation("generate_research_protocol", 4000, 0.7)
GENERATE_CREATIVE_BRIEF = Operation("generate_creative_brief", 4000, 0.7)
GENERATE_MARKETING_PLAN = Operation("generate_marketing_plan", 4000, 0.7)
GENERATE_CURRICULUM = Operation("generate_curriculum", 4000, 0.7)
GENERATE_DOCUMENTATION = Operation("generate_documentation", 3000, 0.5)
