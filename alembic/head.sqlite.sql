CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE users (
	username TEXT NOT NULL, 
	passcode_hash TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	subscription_tier TEXT NOT NULL, 
	subscription_status TEXT NOT NULL, 
	subscription_start DATETIME, 
	subscription_end DATETIME, 
	questions_used_this_month INTEGER, 
	usage_reset_date DATETIME, 
	is_archived BOOLEAN NOT NULL, 
	archived_at DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (username)
);
CREATE TABLE projects (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	status TEXT NOT NULL, 
	project_type TEXT NOT NULL, 
	chat_mode TEXT NOT NULL, 
	goals TEXT NOT NULL, 
	team_structure TEXT NOT NULL, 
	language_preferences TEXT NOT NULL, 
	deployment_target TEXT NOT NULL, 
	code_style TEXT NOT NULL, 
	progress INTEGER, 
	is_archived BOOLEAN NOT NULL, 
	archived_at DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	message_count INTEGER DEFAULT 0 NOT NULL, 
	version INTEGER DEFAULT 1 NOT NULL, 
	extra JSON DEFAULT '{}' NOT NULL, dynamic_questions BOOLEAN DEFAULT 1 NOT NULL, 
	CONSTRAINT pk_projects PRIMARY KEY (id), 
	CONSTRAINT ck_projects_message_count CHECK (message_count >= 0), 
	CONSTRAINT ck_projects_version CHECK (version >= 1)
);
CREATE INDEX ix_projects_owner_is_archived_updated_at ON projects (owner, is_archived, updated_at);
CREATE TABLE project_requirements (
	project_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_project_requirements PRIMARY KEY (project_id, position), 
	CONSTRAINT ck_project_requirements_position CHECK (position >= 0), 
	CONSTRAINT fk_project_requirements_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE project_tech_stack (
	project_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_project_tech_stack PRIMARY KEY (project_id, position), 
	CONSTRAINT ck_project_tech_stack_position CHECK (position >= 0), 
	CONSTRAINT fk_project_tech_stack_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE project_constraints (
	project_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_project_constraints PRIMARY KEY (project_id, position), 
	CONSTRAINT ck_project_constraints_position CHECK (position >= 0), 
	CONSTRAINT fk_project_constraints_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE conversation_messages (
	project_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	type TEXT NOT NULL, 
	content TEXT NOT NULL, 
	timestamp DATETIME, 
	phase TEXT, 
	author TEXT, 
	question_number INTEGER, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_conversation_messages PRIMARY KEY (project_id, position), 
	CONSTRAINT ck_conversation_messages_position CHECK (position >= 0), 
	CONSTRAINT fk_conversation_messages_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE team_members (
	project_id TEXT NOT NULL, 
	username TEXT NOT NULL, 
	role TEXT NOT NULL, 
	skills JSON NOT NULL, 
	joined_at DATETIME, 
	is_active BOOLEAN NOT NULL, 
	position INTEGER NOT NULL, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_team_members PRIMARY KEY (project_id, username), 
	CONSTRAINT ck_team_members_position CHECK (position >= 0), 
	CONSTRAINT fk_team_members_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE INDEX ix_team_members_username_is_active ON team_members (username, is_active);
CREATE TABLE pending_questions (
	project_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	status TEXT NOT NULL, 
	assigned_to_roles JSON NOT NULL, 
	assigned_to_users JSON NOT NULL, 
	created_at DATETIME, 
	answered_by TEXT, 
	answer TEXT, 
	answered_at DATETIME, 
	skipped_at DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_pending_questions PRIMARY KEY (project_id, id), 
	CONSTRAINT ck_pending_questions_position CHECK (position >= 0), 
	CONSTRAINT fk_pending_questions_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE phase_maturity_scores (
	project_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	score DOUBLE, 
	CONSTRAINT pk_phase_maturity_scores PRIMARY KEY (project_id, phase), 
	CONSTRAINT fk_phase_maturity_scores_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE category_scores (
	project_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	category TEXT NOT NULL, 
	current_score DOUBLE, 
	target_score DOUBLE, 
	confidence DOUBLE, 
	spec_count INTEGER, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_category_scores PRIMARY KEY (project_id, phase, category), 
	CONSTRAINT fk_category_scores_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE categorized_specs (
	project_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	category TEXT NOT NULL, 
	content TEXT NOT NULL, 
	confidence DOUBLE, 
	value DOUBLE, 
	source_field TEXT, 
	timestamp DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_categorized_specs PRIMARY KEY (project_id, phase, position), 
	CONSTRAINT ck_categorized_specs_position CHECK (position >= 0), 
	CONSTRAINT fk_categorized_specs_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE maturity_events (
	project_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	timestamp DATETIME, 
	phase TEXT NOT NULL, 
	score_before DOUBLE, 
	score_after DOUBLE, 
	delta DOUBLE, 
	event_type TEXT NOT NULL, 
	details JSON NOT NULL, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_maturity_events PRIMARY KEY (project_id, position), 
	CONSTRAINT ck_maturity_events_position CHECK (position >= 0), 
	CONSTRAINT fk_maturity_events_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE analytics_metrics (
	project_id TEXT NOT NULL, 
	velocity DOUBLE, 
	total_qa_sessions INTEGER, 
	avg_confidence DOUBLE, 
	weak_categories JSON NOT NULL, 
	strong_categories JSON NOT NULL, 
	last_updated DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_analytics_metrics PRIMARY KEY (project_id), 
	CONSTRAINT fk_analytics_metrics_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
CREATE TABLE project_notes (
	id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	title TEXT NOT NULL, 
	content TEXT NOT NULL, 
	note_type TEXT NOT NULL, 
	created_at DATETIME, 
	created_by TEXT NOT NULL, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_project_notes PRIMARY KEY (id), 
	CONSTRAINT fk_project_notes_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
CREATE INDEX ix_project_notes_project_id_created_at ON project_notes (project_id, created_at);
CREATE TABLE project_note_tags (
	note_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	tag TEXT NOT NULL, 
	CONSTRAINT pk_project_note_tags PRIMARY KEY (note_id, position), 
	CONSTRAINT ck_project_note_tags_position CHECK (position >= 0), 
	CONSTRAINT fk_project_note_tags_note_id_project_notes FOREIGN KEY(note_id) REFERENCES project_notes (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE question_effectiveness (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	question_template_id TEXT NOT NULL, 
	role TEXT, 
	times_asked INTEGER, 
	times_answered_well INTEGER, 
	average_answer_length INTEGER, 
	average_spec_extraction_count TEXT, 
	effectiveness_score TEXT, 
	last_asked_at DATETIME, 
	created_at DATETIME, 
	updated_at DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_question_effectiveness PRIMARY KEY (id), 
	CONSTRAINT uq_question_effectiveness_user_id_question_template_id UNIQUE (user_id, question_template_id)
);
CREATE TABLE behavior_patterns (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	pattern_type TEXT NOT NULL, 
	pattern_data JSON NOT NULL, 
	confidence TEXT, 
	learned_from_projects JSON NOT NULL, 
	learned_at DATETIME, 
	updated_at DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_behavior_patterns PRIMARY KEY (id), 
	CONSTRAINT uq_behavior_patterns_user_id_pattern_type UNIQUE (user_id, pattern_type)
);
CREATE TABLE knowledge_documents (
	id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	filename TEXT NOT NULL, 
	file_size INTEGER, 
	content_type TEXT, 
	content TEXT NOT NULL, 
	embedding BLOB, 
	uploaded_at DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_knowledge_documents PRIMARY KEY (id), 
	CONSTRAINT fk_knowledge_documents_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_documents_project_id_uploaded_at ON knowledge_documents (project_id, uploaded_at);
CREATE TABLE embedding_cache (
	model TEXT NOT NULL, 
	text_hash TEXT NOT NULL, 
	dimensions INTEGER NOT NULL, 
	vector BLOB NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_embedding_cache PRIMARY KEY (model, text_hash), 
	CONSTRAINT ck_embedding_cache_dimensions CHECK (dimensions > 0), 
	CONSTRAINT ck_embedding_cache_vector CHECK (length(vector) = 4 * dimensions)
);
CREATE TABLE llm_provider_configs (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	is_default BOOLEAN NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	settings JSON NOT NULL, 
	created_at DATETIME, 
	updated_at DATETIME, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_llm_provider_configs PRIMARY KEY (id), 
	CONSTRAINT uq_llm_provider_configs_user_id_provider UNIQUE (user_id, provider)
);
CREATE TABLE api_keys (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	encrypted_key TEXT NOT NULL, 
	key_hash TEXT NOT NULL, 
	created_at DATETIME, 
	updated_at DATETIME, 
	last_used_at DATETIME, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id), 
	CONSTRAINT uq_api_keys_user_id_provider UNIQUE (user_id, provider)
);
CREATE TABLE llm_usage (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	timestamp DATETIME, 
	input_tokens INTEGER, 
	output_tokens INTEGER, 
	total_tokens INTEGER, 
	latency_ms DOUBLE, 
	cost TEXT, 
	success BOOLEAN NOT NULL, 
	error_message TEXT, 
	request_id TEXT, 
	extra JSON DEFAULT '{}' NOT NULL, operation TEXT, cache_read_tokens INTEGER DEFAULT 0 NOT NULL, cache_write_tokens INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_llm_usage PRIMARY KEY (id)
);
CREATE INDEX ix_llm_usage_user_id_timestamp ON llm_usage (user_id, timestamp);
CREATE TABLE v1_quarantine (
	id INTEGER NOT NULL, 
	source_table TEXT NOT NULL, 
	source_key TEXT, 
	reason TEXT NOT NULL, 
	row_columns JSON NOT NULL, 
	data BLOB, 
	CONSTRAINT pk_v1_quarantine PRIMARY KEY (id)
);
CREATE INDEX ix_v1_quarantine_source_table_source_key ON v1_quarantine (source_table, source_key);
CREATE TABLE v1_import_runs (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	timezone TEXT NOT NULL, 
	options JSON NOT NULL, 
	report JSON NOT NULL, 
	CONSTRAINT pk_v1_import_runs PRIMARY KEY (id)
);
CREATE TABLE v1_import_digests (
	run_id INTEGER NOT NULL, 
	source_table TEXT NOT NULL, 
	source_key TEXT NOT NULL, 
	digest BLOB NOT NULL, 
	CONSTRAINT pk_v1_import_digests PRIMARY KEY (run_id, source_table, source_key), 
	CONSTRAINT fk_v1_import_digests_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE v1_import_notes (
	run_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	source_table TEXT NOT NULL, 
	source_key TEXT, 
	kind TEXT NOT NULL, 
	field TEXT NOT NULL, 
	original JSON NOT NULL, 
	CONSTRAINT pk_v1_import_notes PRIMARY KEY (run_id, position), 
	CONSTRAINT ck_v1_import_notes_position CHECK (position >= 0), 
	CONSTRAINT fk_v1_import_notes_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE knowledge_suggestions (
	id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	content TEXT NOT NULL, 
	category TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	difficulty TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	decided_at DATETIME, 
	decided_by TEXT, 
	extra JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_knowledge_suggestions PRIMARY KEY (id), 
	CONSTRAINT ck_knowledge_suggestions_status CHECK (status IN ('pending', 'approved', 'rejected')), 
	CONSTRAINT fk_knowledge_suggestions_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_suggestions_project_id_status_created_at ON knowledge_suggestions (project_id, status, created_at);
CREATE INDEX ix_projects_archived_at_id ON projects (archived_at, id) WHERE is_archived = 1;
CREATE INDEX ix_users_archived_at_username ON users (archived_at, username) WHERE is_archived = 1;
CREATE TABLE v1_import_deletions (
	run_id INTEGER NOT NULL, 
	source_table TEXT NOT NULL, 
	source_key TEXT NOT NULL, 
	deleted_at DATETIME NOT NULL, 
	CONSTRAINT pk_v1_import_deletions PRIMARY KEY (run_id, source_table, source_key), 
	CONSTRAINT fk_v1_import_deletions_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE v1_quarantine_releases (
	quarantine_id INTEGER NOT NULL, 
	source_key TEXT NOT NULL, 
	released_at DATETIME NOT NULL, 
	correction JSON, 
	CONSTRAINT pk_v1_quarantine_releases PRIMARY KEY (quarantine_id), 
	CONSTRAINT fk_v1_quarantine_releases_quarantine_id_v1_quarantine FOREIGN KEY(quarantine_id) REFERENCES v1_quarantine (id) ON DELETE CASCADE
);
CREATE TABLE v1_backup_changes (
	run_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	changed_at DATETIME NOT NULL, 
	details JSON NOT NULL, 
	CONSTRAINT pk_v1_backup_changes PRIMARY KEY (run_id, position), 
	CONSTRAINT ck_v1_backup_changes_position CHECK (position >= 0), 
	CONSTRAINT fk_v1_backup_changes_run_id_v1_import_runs FOREIGN KEY(run_id) REFERENCES v1_import_runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE login_failures (
	username TEXT NOT NULL, 
	failures INTEGER NOT NULL, 
	first_failed_at DATETIME NOT NULL, 
	last_failed_at DATETIME NOT NULL, 
	blocked_until DATETIME NOT NULL, 
	CONSTRAINT pk_login_failures PRIMARY KEY (username)
);
CREATE INDEX ix_login_failures_last_failed_at ON login_failures (last_failed_at);
CREATE INDEX ix_knowledge_documents_user_id_uploaded_at ON knowledge_documents (user_id, uploaded_at);
CREATE TABLE knowledge_entries (
	entry_key TEXT NOT NULL, 
	id TEXT NOT NULL, 
	project_id TEXT, 
	scope TEXT NOT NULL, 
	category TEXT NOT NULL, 
	source TEXT, 
	document_id TEXT, 
	text_hash TEXT NOT NULL, 
	model TEXT NOT NULL, 
	is_indexed BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	details JSON NOT NULL, 
	content TEXT NOT NULL, 
	vector BLOB NOT NULL, 
	CONSTRAINT pk_knowledge_entries PRIMARY KEY (entry_key), 
	CONSTRAINT ck_knowledge_entries_scope CHECK ((scope = 'global' AND project_id IS NULL) OR (scope = 'project' AND project_id IS NOT NULL)), 
	CONSTRAINT fk_knowledge_entries_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT fk_knowledge_entries_document_id_knowledge_documents FOREIGN KEY(document_id) REFERENCES knowledge_documents (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_entries_project_id_created_at_id ON knowledge_entries (project_id, created_at, id);
CREATE INDEX ix_knowledge_entries_document_id ON knowledge_entries (document_id);
CREATE INDEX ix_knowledge_entries_project_id_source_document_id_created_at ON knowledge_entries (project_id, source, document_id, created_at) WHERE category = 'imported_document';
CREATE INDEX ix_knowledge_entries_model ON knowledge_entries (model);
CREATE INDEX ix_knowledge_entries_updated_at ON knowledge_entries (updated_at) WHERE is_indexed = 0;
CREATE TABLE knowledge_removals (
	entry_key TEXT NOT NULL, 
	removed_at DATETIME NOT NULL, 
	CONSTRAINT pk_knowledge_removals PRIMARY KEY (entry_key)
);
CREATE INDEX ix_embedding_cache_text_hash ON embedding_cache (text_hash);
CREATE TABLE project_conflicts (
	id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	field TEXT NOT NULL, 
	existing TEXT NOT NULL, 
	new TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	explanation TEXT NOT NULL, 
	suggestions JSON NOT NULL, 
	existing_author TEXT, 
	new_author TEXT, 
	created_at DATETIME NOT NULL, 
	status TEXT NOT NULL, 
	choice TEXT, 
	value TEXT, 
	resolved_by TEXT, 
	resolved_at DATETIME, 
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
