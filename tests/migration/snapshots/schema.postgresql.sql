CREATE TABLE users (
    username TEXT COLLATE "C" NOT NULL,
    passcode_hash TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    subscription_tier TEXT COLLATE "C" NOT NULL,
    subscription_status TEXT COLLATE "C" NOT NULL,
    subscription_start TIMESTAMP WITH TIME ZONE,
    subscription_end TIMESTAMP WITH TIME ZONE,
    questions_used_this_month BIGINT,
    usage_reset_date TIMESTAMP WITH TIME ZONE,
    is_archived BOOLEAN NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (username)
);

CREATE TABLE projects (
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    project_type TEXT COLLATE "C" NOT NULL,
    chat_mode TEXT COLLATE "C" NOT NULL,
    goals TEXT COLLATE "C" NOT NULL,
    team_structure TEXT COLLATE "C" NOT NULL,
    language_preferences TEXT COLLATE "C" NOT NULL,
    deployment_target TEXT COLLATE "C" NOT NULL,
    code_style TEXT COLLATE "C" NOT NULL,
    progress BIGINT,
    is_archived BOOLEAN NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    message_count BIGINT DEFAULT 0 NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_projects PRIMARY KEY (id),
    CONSTRAINT ck_projects_message_count CHECK (message_count >= 0),
    CONSTRAINT ck_projects_version CHECK (version >= 1)
);

CREATE INDEX ix_projects_owner_is_archived_updated_at ON projects (owner, is_archived, updated_at);

CREATE TABLE project_requirements (
    project_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_project_requirements PRIMARY KEY (project_id, position),
    CONSTRAINT ck_project_requirements_position CHECK (position >= 0),
    CONSTRAINT fk_project_requirements_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE project_tech_stack (
    project_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_project_tech_stack PRIMARY KEY (project_id, position),
    CONSTRAINT ck_project_tech_stack_position CHECK (position >= 0),
    CONSTRAINT fk_project_tech_stack_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE project_constraints (
    project_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_project_constraints PRIMARY KEY (project_id, position),
    CONSTRAINT ck_project_constraints_position CHECK (position >= 0),
    CONSTRAINT fk_project_constraints_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE conversation_messages (
    project_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE,
    phase TEXT COLLATE "C",
    author TEXT COLLATE "C",
    question_number BIGINT,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_conversation_messages PRIMARY KEY (project_id, position),
    CONSTRAINT ck_conversation_messages_position CHECK (position >= 0),
    CONSTRAINT fk_conversation_messages_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE team_members (
    project_id TEXT COLLATE "C" NOT NULL,
    username TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    skills JSON NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE,
    is_active BOOLEAN NOT NULL,
    position BIGINT NOT NULL,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_team_members PRIMARY KEY (project_id, username),
    CONSTRAINT ck_team_members_position CHECK (position >= 0),
    CONSTRAINT fk_team_members_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_team_members_username_is_active ON team_members (username, is_active);

CREATE TABLE pending_questions (
    project_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    question TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    assigned_to_roles JSON NOT NULL,
    assigned_to_users JSON NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE,
    answered_by TEXT COLLATE "C",
    answer TEXT COLLATE "C",
    answered_at TIMESTAMP WITH TIME ZONE,
    skipped_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_pending_questions PRIMARY KEY (project_id, id),
    CONSTRAINT ck_pending_questions_position CHECK (position >= 0),
    CONSTRAINT fk_pending_questions_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE phase_maturity_scores (
    project_id TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    score DOUBLE PRECISION,
    CONSTRAINT pk_phase_maturity_scores PRIMARY KEY (project_id, phase),
    CONSTRAINT fk_phase_maturity_scores_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE category_scores (
    project_id TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    category TEXT COLLATE "C" NOT NULL,
    current_score DOUBLE PRECISION,
    target_score DOUBLE PRECISION,
    confidence DOUBLE PRECISION,
    spec_count BIGINT,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_category_scores PRIMARY KEY (project_id, phase, category),
    CONSTRAINT fk_category_scores_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE categorized_specs (
    project_id TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    category TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    confidence DOUBLE PRECISION,
    value DOUBLE PRECISION,
    source_field TEXT COLLATE "C",
    timestamp TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_categorized_specs PRIMARY KEY (project_id, phase, position),
    CONSTRAINT ck_categorized_specs_position CHECK (position >= 0),
    CONSTRAINT fk_categorized_specs_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE maturity_events (
    project_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE,
    phase TEXT COLLATE "C" NOT NULL,
    score_before DOUBLE PRECISION,
    score_after DOUBLE PRECISION,
    delta DOUBLE PRECISION,
    event_type TEXT COLLATE "C" NOT NULL,
    details JSON NOT NULL,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_maturity_events PRIMARY KEY (project_id, position),
    CONSTRAINT ck_maturity_events_position CHECK (position >= 0),
    CONSTRAINT fk_maturity_events_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE analytics_metrics (
    project_id TEXT COLLATE "C" NOT NULL,
    velocity DOUBLE PRECISION,
    total_qa_sessions BIGINT,
    avg_confidence DOUBLE PRECISION,
    weak_categories JSON NOT NULL,
    strong_categories JSON NOT NULL,
    last_updated TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_analytics_metrics PRIMARY KEY (project_id),
    CONSTRAINT fk_analytics_metrics_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE project_notes (
    id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    note_type TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE,
    created_by TEXT COLLATE "C" NOT NULL,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_project_notes PRIMARY KEY (id),
    CONSTRAINT fk_project_notes_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_project_notes_project_id_created_at ON project_notes (project_id, created_at);

CREATE TABLE project_note_tags (
    note_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_project_note_tags PRIMARY KEY (note_id, position),
    CONSTRAINT ck_project_note_tags_position CHECK (position >= 0),
    CONSTRAINT fk_project_note_tags_note_id_project_notes FOREIGN KEY(note_id) REFERENCES project_notes (id) ON DELETE CASCADE
);

CREATE TABLE question_effectiveness (
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    question_template_id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C",
    times_asked BIGINT,
    times_answered_well BIGINT,
    average_answer_length BIGINT,
    average_spec_extraction_count NUMERIC,
    effectiveness_score NUMERIC,
    last_asked_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_question_effectiveness PRIMARY KEY (id),
    CONSTRAINT uq_question_effectiveness_user_id_question_template_id UNIQUE (user_id, question_template_id)
);

CREATE TABLE behavior_patterns (
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    pattern_type TEXT COLLATE "C" NOT NULL,
    pattern_data JSON NOT NULL,
    confidence NUMERIC,
    learned_from_projects JSON NOT NULL,
    learned_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_behavior_patterns PRIMARY KEY (id),
    CONSTRAINT uq_behavior_patterns_user_id_pattern_type UNIQUE (user_id, pattern_type)
);

CREATE TABLE knowledge_documents (
    id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    filename TEXT COLLATE "C" NOT NULL,
    file_size BIGINT,
    content_type TEXT COLLATE "C",
    content TEXT COLLATE "C" NOT NULL,
    embedding BYTEA,
    uploaded_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_knowledge_documents PRIMARY KEY (id),
    CONSTRAINT fk_knowledge_documents_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_knowledge_documents_project_id_uploaded_at ON knowledge_documents (project_id, uploaded_at);

CREATE INDEX ix_knowledge_documents_user_id ON knowledge_documents (user_id);

CREATE TABLE embedding_cache (
    model TEXT COLLATE "C" NOT NULL,
    text_hash TEXT COLLATE "C" NOT NULL,
    dimensions BIGINT NOT NULL,
    vector BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_embedding_cache PRIMARY KEY (model, text_hash),
    CONSTRAINT ck_embedding_cache_dimensions CHECK (dimensions > 0),
    CONSTRAINT ck_embedding_cache_vector CHECK (length(vector) = 4 * dimensions)
);

CREATE TABLE llm_provider_configs (
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    is_default BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    settings JSON NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_llm_provider_configs PRIMARY KEY (id),
    CONSTRAINT uq_llm_provider_configs_user_id_provider UNIQUE (user_id, provider)
);

CREATE TABLE api_keys (
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    encrypted_key TEXT COLLATE "C" NOT NULL,
    key_hash TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_user_id_provider UNIQUE (user_id, provider)
);

CREATE TABLE llm_usage (
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE,
    input_tokens BIGINT,
    output_tokens BIGINT,
    total_tokens BIGINT,
    latency_ms DOUBLE PRECISION,
    cost NUMERIC,
    success BOOLEAN NOT NULL,
    error_message TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_llm_usage PRIMARY KEY (id)
);

CREATE INDEX ix_llm_usage_user_id_timestamp ON llm_usage (user_id, timestamp);

CREATE TABLE v1_quarantine (
    id BIGINT NOT NULL,
    source_table TEXT COLLATE "C" NOT NULL,
    source_key TEXT COLLATE "C",
    reason TEXT COLLATE "C" NOT NULL,
    row_columns JSON NOT NULL,
    data BYTEA,
    CONSTRAINT pk_v1_quarantine PRIMARY KEY (id)
);

CREATE INDEX ix_v1_quarantine_source_table_source_key ON v1_quarantine (source_table, source_key);

CREATE TABLE v1_import_runs (
    id BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    timezone TEXT COLLATE "C" NOT NULL,
    options JSON NOT NULL,
    report JSON NOT NULL,
    CONSTRAINT pk_v1_import_runs PRIMARY KEY (id)
);

CREATE TABLE v1_import_digests (
    run_id BIGINT NOT NULL,
    source_table TEXT COLLATE "C" NOT NULL,
    source_key TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    CONSTRAINT pk_v1_import_digests PRIMARY KEY (run_id, source_table, source_key),
    CONSTRAINT fk_v1_import_digests_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
);

CREATE TABLE v1_import_notes (
    run_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    source_table TEXT COLLATE "C" NOT NULL,
    source_key TEXT COLLATE "C",
    kind TEXT COLLATE "C" NOT NULL,
    field TEXT COLLATE "C" NOT NULL,
    original JSON NOT NULL,
    CONSTRAINT pk_v1_import_notes PRIMARY KEY (run_id, position),
    CONSTRAINT ck_v1_import_notes_position CHECK (position >= 0),
    CONSTRAINT fk_v1_import_notes_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
);

CREATE TABLE knowledge_suggestions (
    id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    category TEXT COLLATE "C" NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    difficulty TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by TEXT COLLATE "C",
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_knowledge_suggestions PRIMARY KEY (id),
    CONSTRAINT ck_knowledge_suggestions_status CHECK (status IN ('pending', 'approved', 'rejected')),
    CONSTRAINT fk_knowledge_suggestions_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_knowledge_suggestions_project_id_status_created_at ON knowledge_suggestions (project_id, status, created_at);

CREATE INDEX ix_projects_archived_at_id ON projects (archived_at, id) WHERE is_archived;

CREATE INDEX ix_users_archived_at_username ON users (archived_at, username) WHERE is_archived;

CREATE TABLE v1_import_deletions (
    run_id BIGINT NOT NULL,
    source_table TEXT COLLATE "C" NOT NULL,
    source_key TEXT COLLATE "C" NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_v1_import_deletions PRIMARY KEY (run_id, source_table, source_key),
    CONSTRAINT fk_v1_import_deletions_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
);

CREATE TABLE v1_quarantine_releases (
    quarantine_id BIGINT NOT NULL,
    source_key TEXT COLLATE "C" NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE NOT NULL,
    correction JSON,
    CONSTRAINT pk_v1_quarantine_releases PRIMARY KEY (quarantine_id),
    CONSTRAINT fk_v1_quarantine_releases_quarantine_id_v1_quarantine FOREIGN KEY(quarantine_id) REFERENCES v1_quarantine (id) ON DELETE CASCADE
);

CREATE TABLE v1_backup_changes (
    run_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    details JSON NOT NULL,
    CONSTRAINT pk_v1_backup_changes PRIMARY KEY (run_id, position),
    CONSTRAINT ck_v1_backup_changes_position CHECK (position >= 0),
    CONSTRAINT fk_v1_backup_changes_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
);

CREATE TABLE login_failures (
    username TEXT COLLATE "C" NOT NULL,
    failures BIGINT NOT NULL,
    first_failed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_failed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    blocked_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_login_failures PRIMARY KEY (username)
);

CREATE INDEX ix_login_failures_last_failed_at ON login_failures (last_failed_at);

DROP INDEX IF EXISTS ix_knowledge_documents_user_id;

CREATE INDEX ix_knowledge_documents_user_id_uploaded_at ON knowledge_documents (user_id, uploaded_at NULLS FIRST);

DROP INDEX IF EXISTS ix_project_notes_project_id_created_at;

CREATE INDEX ix_project_notes_project_id_created_at ON project_notes (project_id, created_at NULLS FIRST);

DROP INDEX IF EXISTS ix_knowledge_documents_project_id_uploaded_at;

CREATE INDEX ix_knowledge_documents_project_id_uploaded_at ON knowledge_documents (project_id, uploaded_at NULLS FIRST);

DROP INDEX IF EXISTS ix_llm_usage_user_id_timestamp;

CREATE INDEX ix_llm_usage_user_id_timestamp ON llm_usage (user_id, timestamp DESC NULLS LAST);

DROP INDEX IF EXISTS ix_projects_archived_at_id;

CREATE INDEX ix_projects_archived_at_id ON projects (archived_at DESC NULLS LAST, id DESC) WHERE is_archived;

DROP INDEX IF EXISTS ix_users_archived_at_username;

CREATE INDEX ix_users_archived_at_username ON users (archived_at DESC NULLS LAST, username DESC) WHERE is_archived;

CREATE TABLE knowledge_entries (
    entry_key TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C",
    scope TEXT COLLATE "C" NOT NULL,
    category TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C",
    document_id TEXT COLLATE "C",
    text_hash TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    is_indexed BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    details JSON NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    vector BYTEA NOT NULL,
    CONSTRAINT pk_knowledge_entries PRIMARY KEY (entry_key),
    CONSTRAINT ck_knowledge_entries_scope CHECK ((scope = 'global' AND project_id IS NULL) OR (scope = 'project' AND project_id IS NOT NULL)),
    CONSTRAINT fk_knowledge_entries_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_knowledge_entries_document_id_knowledge_documents FOREIGN KEY(document_id) REFERENCES knowledge_documents (id) ON DELETE CASCADE
);

CREATE INDEX ix_knowledge_entries_project_id_created_at_id ON knowledge_entries (project_id, created_at, id);

CREATE INDEX ix_knowledge_entries_document_id ON knowledge_entries (document_id);

CREATE INDEX ix_knowledge_entries_project_id_source_document_id_created_at ON knowledge_entries (project_id, source, document_id, created_at) WHERE category = 'imported_document';

CREATE INDEX ix_knowledge_entries_model ON knowledge_entries (model);

CREATE INDEX ix_knowledge_entries_updated_at ON knowledge_entries (updated_at) WHERE NOT is_indexed;

CREATE TABLE knowledge_removals (
    entry_key TEXT COLLATE "C" NOT NULL,
    removed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_knowledge_removals PRIMARY KEY (entry_key)
);

CREATE INDEX ix_embedding_cache_text_hash ON embedding_cache (text_hash);

ALTER TABLE llm_usage ADD COLUMN operation TEXT COLLATE "C";

ALTER TABLE llm_usage ADD COLUMN cache_read_tokens BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE llm_usage ADD COLUMN cache_write_tokens BIGINT DEFAULT 0 NOT NULL;

CREATE TABLE project_conflicts (
    id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    field TEXT COLLATE "C" NOT NULL,
    existing TEXT COLLATE "C" NOT NULL,
    "new" TEXT COLLATE "C" NOT NULL,
    severity TEXT COLLATE "C" NOT NULL,
    explanation TEXT COLLATE "C" NOT NULL,
    suggestions JSON NOT NULL,
    existing_author TEXT COLLATE "C",
    new_author TEXT COLLATE "C",
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    choice TEXT COLLATE "C",
    value TEXT COLLATE "C",
    resolved_by TEXT COLLATE "C",
    resolved_at TIMESTAMP WITH TIME ZONE,
    extra JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_project_conflicts PRIMARY KEY (id),
    CONSTRAINT ck_project_conflicts_field CHECK (field IN ('goals', 'requirements', 'tech_stack', 'constraints')),
    CONSTRAINT ck_project_conflicts_severity CHECK (severity IN ('low', 'medium', 'high')),
    CONSTRAINT ck_project_conflicts_status CHECK (status IN ('pending', 'resolved')),
    CONSTRAINT ck_project_conflicts_choice CHECK (choice IN ('keep', 'replace', 'skip', 'manual')),
    CONSTRAINT ck_project_conflicts_decision CHECK ((status = 'pending') = (choice IS NULL)),
    CONSTRAINT fk_project_conflicts_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_project_conflicts_project_id_status_created_at_id ON project_conflicts (project_id, status, created_at, id);

CREATE INDEX ix_project_conflicts_project_id_created_at_id ON project_conflicts (project_id, created_at, id);

ALTER TABLE projects ADD COLUMN dynamic_questions BOOLEAN DEFAULT true NOT NULL;
