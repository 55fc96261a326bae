"""The schema of a v1 file: the statements v1 itself executed, blank for blank."""

V1_TABLES = {
    "projects": """CREATE TABLE projects (
                project_id TEXT PRIMARY KEY,
                data BLOB,
                created_at TEXT,
                updated_at TEXT
            )""",
    "users": """CREATE TABLE users (
                username TEXT PRIMARY KEY,
                passcode_hash TEXT,
                data BLOB,
                created_at TEXT
            )""",
    "project_notes": """CREATE TABLE project_notes (
                note_id TEXT PRIMARY KEY,
                project_id TEXT NOT NULL,
                data BLOB,
                created_at TEXT,
                FOREIGN KEY (project_id) REFERENCES projects(project_id)
            )""",
    "question_effectiveness": """CREATE TABLE question_effectiveness (
                id TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                question_template_id TEXT NOT NULL,
                data BLOB,
                created_at TEXT,
                updated_at TEXT,
                UNIQUE(user_id, question_template_id)
            )""",
    "behavior_patterns": """CREATE TABLE behavior_patterns (
                id TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                pattern_type TEXT NOT NULL,
                data BLOB,
                learned_at TEXT,
                updated_at TEXT,
                UNIQUE(user_id, pattern_type)
            )""",
    "knowledge_documents": """CREATE TABLE knowledge_documents (
                id TEXT PRIMARY KEY,
                project_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                data BLOB,
                uploaded_at TEXT,
                FOREIGN KEY (project_id) REFERENCES projects(project_id)
            )""",
    "llm_provider_configs": """CREATE TABLE llm_provider_configs (
                id TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                provider TEXT NOT NULL,
                data BLOB,
                created_at TEXT,
                updated_at TEXT,
                UNIQUE(user_id, provider)
            )""",
    "api_keys": """CREATE TABLE api_keys (
                id TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                provider TEXT NOT NULL,
                encrypted_key TEXT NOT NULL,
                key_hash TEXT NOT NULL,
                created_at TEXT,
                updated_at TEXT,
                last_used_at TEXT,
                UNIQUE(user_id, provider)
            )""",
    "llm_usage": """CREATE TABLE llm_usage (
                id TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                provider TEXT NOT NULL,
                model TEXT NOT NULL,
                data BLOB,
                timestamp TEXT,
                cost REAL
            )""",
}
