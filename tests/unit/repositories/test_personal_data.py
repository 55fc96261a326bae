"""The list of places that name people is whole: whoever adds a column says whether it names anybody."""

from sqlalchemy import JSON, Column
from sqlalchemy.types import TypeDecorator

from socrates.models import Base
from socrates.models.types import CodePointText, TaggedJSON
from socrates.repositories.personal_data import PLACES

NAMES_NOBODY = {
    "analytics_metrics": "project_id weak_categories strong_categories extra",
    "api_keys": "id provider encrypted_key key_hash",
    "behavior_patterns": "id pattern_type pattern_data learned_from_projects extra",
    "categorized_specs": "project_id phase category content source_field extra",
    "category_scores": "project_id phase category extra",
    "conversation_messages": "project_id type content phase extra",
    "embedding_cache": "model text_hash",
    "knowledge_documents": "id project_id filename content_type content extra",
    "knowledge_entries": "entry_key id project_id scope content category source document_id details text_hash model",
    "knowledge_removals": "entry_key",
    "knowledge_suggestions": "id project_id content category topic difficulty reason agent status extra",
    "llm_provider_configs": "id provider settings extra",
    "llm_usage": "id provider model operation error_message request_id extra",
    "maturity_events": "project_id phase event_type details extra",
    "pending_questions": "project_id id question phase status assigned_to_roles answer extra",
    "phase_maturity_scores": "project_id phase",
    "project_conflicts": "id project_id field existing new severity explanation suggestions status choice value extra",
    "project_constraints": "project_id value",
    "project_note_tags": "note_id tag",
    "project_notes": "id project_id title content note_type extra",
    "project_requirements": "project_id value",
    "project_tech_stack": "project_id value",
    "projects": "id name phase status project_type chat_mode goals team_structure language_preferences"
    " deployment_target code_style",
    "question_effectiveness": "id question_template_id role extra",
    "team_members": "project_id role skills extra",
    "users": "passcode_hash subscription_tier subscription_status extra",
    "v1_backup_changes": "kind details",
    "v1_import_deletions": "source_table",
    "v1_import_digests": "source_table",
    "v1_import_notes": "source_table kind",
    "v1_import_runs": "source timezone options",
    "v1_quarantine": "source_table reason",
}
"""The texts and JSON that name nobody, or only mention people: ids, kinds, what people write, what v1 left over."""


def test_every_column_that_can_hold_a_name_is_on_one_of_the_two_lists() -> None:
    handled = {place.name for place in PLACES}
    harmless = {f"{of}.{column}" for of, columns in NAMES_NOBODY.items() for column in columns.split()}
    assert not handled & harmless
    can = {
        f"{of.name}.{column.name}" for of in Base.metadata.sorted_tables for column in of.c if can_hold_a_name(column)
    }
    assert handled | harmless == can, "a new column that names people goes into socrates/repositories/personal_data.py"


def can_hold_a_name(column: Column[object]) -> bool:
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(column.type, CodePointText | TaggedJSON) or isinstance(kind, JSON)
