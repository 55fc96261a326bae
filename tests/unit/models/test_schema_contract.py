"""The tables are those of the contract, and keep the rules that all tables share."""

from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite

from socrates import models
from socrates.models import Base

TABLES = Base.metadata.tables.values()

CONTRACT = {
    "users": "username* passcode_hash created_at subscription_tier subscription_status subscription_start?"
    " subscription_end? questions_used_this_month? usage_reset_date? is_archived archived_at? extra",
    "projects": "id* name owner phase status project_type chat_mode goals team_structure"
    " language_preferences deployment_target code_style progress? is_archived archived_at? created_at"
    " updated_at message_count version extra dynamic_questions",
    "conversation_messages": "project_id* position* type content timestamp? phase? author? question_number? extra",
    "project_requirements": "project_id* position* value",
    "project_tech_stack": "project_id* position* value",
    "project_constraints": "project_id* position* value",
    "team_members": "project_id* username* role skills joined_at? is_active position extra",
    "pending_questions": "project_id* id* position question phase status assigned_to_roles"
    " assigned_to_users created_at? answered_by? answer? answered_at? skipped_at? extra",
    "phase_maturity_scores": "project_id* phase* score?",
    "category_scores": "project_id* phase* category* current_score? target_score? confidence? spec_count? extra",
    "categorized_specs": "project_id* phase* position* category content confidence? value? source_field?"
    " timestamp? extra",
    "maturity_events": "project_id* position* timestamp? phase score_before? score_after? delta? event_type"
    " details extra",
    "analytics_metrics": "project_id* velocity? total_qa_sessions? avg_confidence? weak_categories"
    " strong_categories last_updated? extra",
    "project_notes": "id* project_id title content note_type created_at? created_by extra",
    "project_note_tags": "note_id* position* tag",
    "project_conflicts": "id* project_id field existing new severity explanation suggestions existing_author?"
    " new_author? created_at status choice? value? resolved_by? resolved_at? extra",
    "question_effectiveness": "id* user_id question_template_id role? times_asked? times_answered_well?"
    " average_answer_length? average_spec_extraction_count? effectiveness_score? last_asked_at? created_at?"
    " updated_at? extra",
    "behavior_patterns": "id* user_id pattern_type pattern_data confidence? learned_from_projects"
    " learned_at? updated_at? extra",
    "knowledge_documents": "id* project_id user_id filename file_size? content_type? content embedding?"
    " uploaded_at? extra",
    "knowledge_suggestions": "id* project_id content category topic difficulty reason agent status created_at"
    " decided_at? decided_by? extra",
    "llm_provider_configs": "id* user_id provider is_default enabled settings created_at? updated_at? extra",
    "api_keys": "id* user_id provider encrypted_key key_hash created_at? updated_at? last_used_at?",
    "llm_usage": "id* user_id provider model timestamp? input_tokens? output_tokens? total_tokens?"
    " latency_ms? cost? success error_message? request_id? extra operation? cache_read_tokens cache_write_tokens",
    "knowledge_entries": "entry_key* id project_id? scope category source? document_id? text_hash model is_indexed"
    " created_at updated_at details content vector",
    "knowledge_removals": "entry_key* removed_at",
    "embedding_cache": "model* text_hash* dimensions vector created_at",
    "login_failures": "username* failures first_failed_at last_failed_at blocked_until",
    "v1_quarantine": "id* source_table source_key? reason row_columns data?",
    "v1_import_runs": "id* source started_at finished_at? timezone options report",
    "v1_import_digests": "run_id* source_table* source_key* digest",
    "v1_import_notes": "run_id* position* source_table source_key? kind field original",
    "v1_import_deletions": "run_id* source_table* source_key* deleted_at",
    "v1_quarantine_releases": "quarantine_id* source_key released_at correction?",
    "v1_backup_changes": "run_id* position* kind changed_at details",
}
"""Table by table, the columns in order: `*` is part of the primary key, `?` allows NULL."""

UNIQUE = {
    "question_effectiveness": ("user_id", "question_template_id"),
    "behavior_patterns": ("user_id", "pattern_type"),
    "llm_provider_configs": ("user_id", "provider"),
    "api_keys": ("user_id", "provider"),
}

CHECKED = {
    "position >= 0": "position",
    "message_count >= 0": "message_count",
    "version >= 1": "version",
    "dimensions > 0": "dimensions",
    "length(vector) = 4 * dimensions": "vector",
    "status IN ('pending', 'approved', 'rejected')": "status",
    "(scope = 'global' AND project_id IS NULL) OR (scope = 'project' AND project_id IS NOT NULL)": "scope",
    "field IN ('goals', 'requirements', 'tech_stack', 'constraints')": "field",
    "severity IN ('low', 'medium', 'high')": "severity",
    "status IN ('pending', 'resolved')": "status",
    "choice IN ('keep', 'replace', 'skip', 'manual')": "choice",
    "(status = 'pending') = (choice IS NULL)": "decision",
}
"""Every rule that the database checks, and the last part of its constraint's name."""

WITH_SERVER_DEFAULT = {
    "extra": "'{}'",
    "message_count": "0",
    "version": "1",
    "cache_read_tokens": "0",
    "cache_write_tokens": "0",
    "dynamic_questions": "true",
}

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def names(columns: Any) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


def described(table: Table) -> str:
    """One table in the notation of CONTRACT."""
    marks = [f"{c.name}{'*' if c.primary_key else ''}{'?' if c.nullable else ''}" for c in table.columns]
    return " ".join(marks)


def unique_keys(table: Table) -> list[tuple[str, ...]]:
    uniques = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    return [names(table.primary_key), *(names(unique.columns) for unique in uniques)]


def test_tables_and_columns_are_those_of_the_contract() -> None:
    assert {table.name: described(table) for table in TABLES} == CONTRACT


def test_unique_constraints_are_those_of_the_contract() -> None:
    assert {table.name: unique_keys(table)[1] for table in TABLES if unique_keys(table)[1:]} == UNIQUE


def test_every_table_has_one_entity_that_is_exported() -> None:
    entities = [mapper.class_ for mapper in Base.registry.mappers]

    assert sorted(entity.__tablename__ for entity in entities) == sorted(CONTRACT)
    assert sorted([*(entity.__name__ for entity in entities), "Base"]) == sorted(models.__all__)
    assert all(entity.__doc__ for entity in entities)


def test_attributes_are_named_like_their_columns() -> None:
    for mapper in Base.registry.mappers:
        assert {prop.key: prop.columns[0].name for prop in mapper.column_attrs} == {
            column.name: column.name for column in mapper.local_table.columns
        }


@every_table
def test_server_defaults_are_few(table: Table) -> None:
    defaults = {c.name: str(c.server_default.arg) for c in table.columns if c.server_default is not None}

    assert defaults == {name: WITH_SERVER_DEFAULT[name] for name in names(table.columns) if name in defaults}
    assert ("extra" in defaults) == ("extra" in table.columns)


@every_table
def test_every_foreign_key_is_indexed_and_cascades(table: Table) -> None:
    leading = [*unique_keys(table), *(names(index.columns) for index in table.indexes)]

    for constraint in table.foreign_key_constraints:
        columns = names(constraint.columns)
        assert any(key[: len(columns)] == columns for key in leading)
        assert constraint.ondelete == "CASCADE"


@every_table
def test_no_index_is_a_prefix_of_another(table: Table) -> None:
    keys = [*unique_keys(table), *(names(index.columns) for index in table.indexes)]

    for i, key in enumerate(keys):
        others = keys[:i] + keys[i + 1 :]
        assert not any(other[: len(key)] == key for other in others)


@every_table
def test_names_follow_the_convention(table: Table) -> None:
    for index in table.indexes:
        assert index.name == "_".join(["ix", table.name, *names(index.columns)])
    for constraint in table.constraints:
        match constraint:
            case PrimaryKeyConstraint():
                expected = f"pk_{table.name}"
            case UniqueConstraint():
                expected = "_".join(["uq", table.name, *names(constraint.columns)])
            case ForeignKeyConstraint():
                referred = constraint.referred_table.name
                expected = "_".join(["fk", table.name, *names(constraint.columns), referred])
            case CheckConstraint():
                expected = f"ck_{table.name}_{CHECKED[str(constraint.sqltext)]}"
        assert constraint.name == expected
        # PostgreSQL cuts longer names off.
        assert len(expected) <= 63


@every_table
def test_children_with_a_composite_key_are_without_rowid(table: Table) -> None:
    is_composite_child = bool(table.foreign_key_constraints) and len(table.primary_key.columns) > 1

    assert table.dialect_options["sqlite"]["with_rowid"] is not is_composite_child


@every_table
def test_positions_are_checked(table: Table) -> None:
    rules = [str(c.sqltext) for c in table.constraints if isinstance(c, CheckConstraint)]

    assert ("position >= 0" in rules) == ("position" in table.columns)


@every_table
def test_integers_are_sqlites_own_and_64_bits_wide_elsewhere(table: Table) -> None:
    for column in table.columns:
        if isinstance(column.type, Integer):
            assert str(column.type) == "BIGINT"
            assert column.type.compile(sqlite.dialect()) == "INTEGER"


def test_no_column_holds_a_pickle_and_users_are_soft_references() -> None:
    assert not [c for table in TABLES for c in table.columns if "Pickle" in type(c.type).__name__]
    assert {fk.column.table.name for table in TABLES for fk in table.foreign_keys} == {
        "projects",
        "project_notes",
        "knowledge_documents",
        "v1_import_runs",
        "v1_quarantine",
    }


def test_every_relationship_is_loaded_explicitly_or_not_at_all() -> None:
    for mapper in Base.registry.mappers:
        for relationship in mapper.relationships:
            assert relationship.lazy == "raise", relationship
            assert relationship.passive_deletes is True, relationship
            assert relationship.cascade.delete_orphan, relationship


def test_every_foreign_key_has_a_relationship() -> None:
    # Without one a flush does not know which of two new rows comes first.
    related = {
        (mapper.local_table.name, relationship.mapper.local_table.name)
        for mapper in Base.registry.mappers
        for relationship in mapper.relationships
    }

    assert related == {(fk.column.table.name, table.name) for table in TABLES for fk in table.foreign_keys}
