CREATE TABLE access_version (
	id INTEGER NOT NULL,
	version BIGINT NOT NULL,
	CONSTRAINT pk_access_version PRIMARY KEY (id)
);
INSERT INTO "access_version" VALUES(1,1);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('r0006');
CREATE TABLE attempts (
	id INTEGER NOT NULL,
	subject VARCHAR(140) NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT pk_attempts PRIMARY KEY (id)
);
CREATE TABLE audit (
	id INTEGER NOT NULL,
	at DATETIME NOT NULL,
	who VARCHAR(120) NOT NULL,
	action VARCHAR(60) NOT NULL,
	dataset VARCHAR(120),
	detail JSON NOT NULL,
	address VARCHAR(60) NOT NULL,
	CONSTRAINT pk_audit PRIMARY KEY (id)
);
CREATE TABLE datasets (
	name VARCHAR(120) NOT NULL,
	info JSON NOT NULL,
	search TEXT NOT NULL, title TEXT DEFAULT '' NOT NULL, facets TEXT DEFAULT '' NOT NULL, made DATETIME, changed DATETIME,
	CONSTRAINT pk_datasets PRIMARY KEY (name)
);
CREATE TABLE descriptions (
	dataset VARCHAR(120) NOT NULL,
	version INTEGER NOT NULL,
	info JSON NOT NULL,
	who VARCHAR(120),
	at DATETIME NOT NULL,
	note VARCHAR(200) NOT NULL,
	CONSTRAINT pk_descriptions PRIMARY KEY (dataset, version)
);
CREATE TABLE devices (
	name VARCHAR(120) NOT NULL,
	host VARCHAR(255) NOT NULL,
	model VARCHAR(200) NOT NULL,
	memory_bytes BIGINT NOT NULL,
	shares INTEGER NOT NULL,
	present BOOLEAN NOT NULL,
	CONSTRAINT pk_devices PRIMARY KEY (name)
);
CREATE TABLE entries (
	dataset VARCHAR(120) NOT NULL,
	name VARCHAR(120) NOT NULL,
	kind VARCHAR(20) NOT NULL,
	digest VARCHAR(100),
	made_by VARCHAR(120),
	facts JSON NOT NULL,
	CONSTRAINT pk_entries PRIMARY KEY (dataset, name),
	CONSTRAINT fk_entries_dataset_datasets FOREIGN KEY(dataset) REFERENCES datasets (name) ON DELETE CASCADE
);
CREATE TABLE facets (
	dataset VARCHAR(120) NOT NULL,
	facet VARCHAR(20) NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT pk_facets PRIMARY KEY (dataset, facet, value),
	CONSTRAINT fk_facets_dataset_datasets FOREIGN KEY(dataset) REFERENCES datasets (name) ON DELETE CASCADE
);
CREATE TABLE grants (
	dataset VARCHAR(120) NOT NULL,
	subject VARCHAR(130) NOT NULL,
	role VARCHAR(20) NOT NULL,
	CONSTRAINT pk_grants PRIMARY KEY (dataset, subject)
);
CREATE TABLE jobs (
	id VARCHAR(40) NOT NULL,
	person VARCHAR(120) NOT NULL,
	tool VARCHAR(120) NOT NULL,
	call JSON NOT NULL,
	options JSON NOT NULL,
	status VARCHAR(20) NOT NULL,
	asked DATETIME NOT NULL,
	made DATETIME NOT NULL,
	started DATETIME,
	ended DATETIME,
	host VARCHAR(255),
	pid INTEGER,
	pid_started FLOAT,
	beat DATETIME,
	stop BOOLEAN NOT NULL,
	run VARCHAR(120),
	error TEXT,
	CONSTRAINT pk_jobs PRIMARY KEY (id)
);
CREATE TABLE layer_batches (
	layer INTEGER NOT NULL,
	version BIGINT NOT NULL,
	base BIGINT NOT NULL,
	person VARCHAR(130) NOT NULL,
	at DATETIME NOT NULL,
	action VARCHAR(12) NOT NULL,
	target BIGINT,
	idempotency_key VARCHAR(100),
	edits BIGINT NOT NULL,
	answer JSON NOT NULL,
	stack VARCHAR(4) NOT NULL,
	ordinal BIGINT NOT NULL,
	CONSTRAINT pk_layer_batches PRIMARY KEY (layer, version),
	CONSTRAINT fk_layer_batches_layer_layers FOREIGN KEY(layer) REFERENCES layers (id) ON DELETE CASCADE,
	CONSTRAINT uq_layer_batches_key UNIQUE (layer, person, idempotency_key)
);
CREATE TABLE layer_counts (
	layer INTEGER NOT NULL,
	scale INTEGER NOT NULL,
	block BIGINT NOT NULL,
	objects BIGINT NOT NULL,
	CONSTRAINT pk_layer_counts PRIMARY KEY (layer, scale, block),
	CONSTRAINT fk_layer_counts_layer_layers FOREIGN KEY(layer) REFERENCES layers (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE layer_edits (
	layer INTEGER NOT NULL,
	version BIGINT NOT NULL,
	position INTEGER NOT NULL,
	object BIGINT NOT NULL,
	old JSON,
	new JSON,
	CONSTRAINT pk_layer_edits PRIMARY KEY (layer, version, position),
	CONSTRAINT fk_layer_edits_layer_layers FOREIGN KEY(layer) REFERENCES layers (id) ON DELETE CASCADE
);
CREATE TABLE layer_objects (
	layer INTEGER NOT NULL,
	block BIGINT NOT NULL,
	id BIGINT NOT NULL,
	z FLOAT NOT NULL,
	y FLOAT NOT NULL,
	x FLOAT NOT NULL,
	shape VARCHAR(10) NOT NULL,
	points JSON,
	class_name VARCHAR(60),
	status VARCHAR(10) NOT NULL,
	comment TEXT,
	properties JSON,
	born BIGINT NOT NULL,
	version BIGINT NOT NULL,
	CONSTRAINT pk_layer_objects PRIMARY KEY (layer, block, id),
	CONSTRAINT fk_layer_objects_layer_layers FOREIGN KEY(layer) REFERENCES layers (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE layer_queue_items (
	queue INTEGER NOT NULL,
	object BIGINT NOT NULL,
	position BIGINT NOT NULL,
	state VARCHAR(8) NOT NULL,
	person VARCHAR(130),
	client VARCHAR(60),
	handed DATETIME,
	until DATETIME,
	decided DATETIME,
	seconds FLOAT,
	version BIGINT,
	CONSTRAINT pk_layer_queue_items PRIMARY KEY (queue, object),
	CONSTRAINT fk_layer_queue_items_queue_layer_queues FOREIGN KEY(queue) REFERENCES layer_queues (id) ON DELETE CASCADE
);
CREATE TABLE layer_queues (
	id INTEGER NOT NULL,
	layer INTEGER NOT NULL,
	ordering JSON NOT NULL,
	narrowed JSON NOT NULL,
	made_by VARCHAR(130) NOT NULL,
	made DATETIME NOT NULL,
	total BIGINT NOT NULL,
	done BIGINT NOT NULL,
	skipped BIGINT NOT NULL,
	gone BIGINT NOT NULL,
	CONSTRAINT pk_layer_queues PRIMARY KEY (id),
	CONSTRAINT fk_layer_queues_layer_layers FOREIGN KEY(layer) REFERENCES layers (id) ON DELETE CASCADE
);
CREATE TABLE layers (
	id INTEGER NOT NULL,
	uid VARCHAR(32) NOT NULL,
	dataset VARCHAR(120) NOT NULL,
	name VARCHAR(120) NOT NULL,
	volume VARCHAR(120) NOT NULL,
	classes JSON NOT NULL,
	columns JSON NOT NULL,
	lowest JSON NOT NULL,
	highest JSON NOT NULL,
	block_um FLOAT NOT NULL,
	extended BOOLEAN NOT NULL,
	version BIGINT NOT NULL,
	objects BIGINT NOT NULL,
	next_id BIGINT NOT NULL,
	made_by VARCHAR(130) NOT NULL,
	made DATETIME NOT NULL,
	changed DATETIME NOT NULL,
	stored BIGINT NOT NULL,
	snapshot BIGINT NOT NULL,
	keeping DATETIME,
	CONSTRAINT pk_layers PRIMARY KEY (id),
	CONSTRAINT uq_layers_dataset_name UNIQUE (dataset, name),
	CONSTRAINT uq_layers_uid UNIQUE (uid)
);
CREATE TABLE lease_parts (
	device VARCHAR(120) NOT NULL,
	share INTEGER NOT NULL,
	lease VARCHAR(40) NOT NULL,
	CONSTRAINT pk_lease_parts PRIMARY KEY (device, share),
	CONSTRAINT fk_lease_parts_device_devices FOREIGN KEY(device) REFERENCES devices (name),
	CONSTRAINT fk_lease_parts_lease_leases FOREIGN KEY(lease) REFERENCES leases (id)
);
CREATE TABLE leases (
	id VARCHAR(40) NOT NULL,
	person VARCHAR(120) NOT NULL,
	purpose VARCHAR(20) NOT NULL,
	devices INTEGER NOT NULL,
	whole BOOLEAN NOT NULL,
	status VARCHAR(10) NOT NULL,
	asked DATETIME NOT NULL,
	beat DATETIME NOT NULL,
	granted DATETIME,
	ended DATETIME,
	reason TEXT,
	holder JSON NOT NULL,
	CONSTRAINT pk_leases PRIMARY KEY (id)
);
CREATE TABLE links (
	id VARCHAR(40) NOT NULL,
	dataset VARCHAR(120) NOT NULL,
	entry VARCHAR(120),
	role VARCHAR(20) NOT NULL,
	note VARCHAR(200) NOT NULL,
	made_by VARCHAR(120) NOT NULL,
	made DATETIME NOT NULL,
	expires DATETIME NOT NULL,
	revoked DATETIME,
	CONSTRAINT pk_links PRIMARY KEY (id)
);
CREATE TABLE login_links (
	id VARCHAR(40) NOT NULL,
	person VARCHAR(120) NOT NULL,
	made_by VARCHAR(120) NOT NULL,
	made DATETIME NOT NULL,
	expires DATETIME NOT NULL,
	used DATETIME,
	CONSTRAINT pk_login_links PRIMARY KEY (id),
	CONSTRAINT fk_login_links_person_people FOREIGN KEY(person) REFERENCES people (name) ON DELETE CASCADE
);
CREATE TABLE members (
	group_name VARCHAR(120) NOT NULL,
	person VARCHAR(120) NOT NULL,
	source VARCHAR(20) NOT NULL,
	CONSTRAINT pk_members PRIMARY KEY (group_name, person),
	CONSTRAINT fk_members_person_people FOREIGN KEY(person) REFERENCES people (name) ON DELETE CASCADE
);
CREATE TABLE people (
	name VARCHAR(120) NOT NULL,
	display VARCHAR(200) NOT NULL,
	administrator BOOLEAN NOT NULL,
	active BOOLEAN NOT NULL,
	password TEXT,
	provider VARCHAR(20) NOT NULL,
	made_by VARCHAR(120) NOT NULL,
	made DATETIME NOT NULL,
	CONSTRAINT pk_people PRIMARY KEY (name)
);
CREATE TABLE run_ports (
	run VARCHAR(120) NOT NULL,
	direction VARCHAR(6) NOT NULL,
	position INTEGER NOT NULL,
	port VARCHAR(120) NOT NULL,
	ref TEXT NOT NULL,
	kind VARCHAR(20) NOT NULL,
	digest VARCHAR(100), dataset VARCHAR(120),
	CONSTRAINT pk_run_ports PRIMARY KEY (run, direction, position),
	CONSTRAINT fk_run_ports_run_runs FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE runs (
	id VARCHAR(120) NOT NULL,
	tool VARCHAR(120) NOT NULL,
	version VARCHAR(60) NOT NULL,
	image VARCHAR(300) NOT NULL,
	call JSON NOT NULL,
	call_digest VARCHAR(100) NOT NULL,
	status VARCHAR(20) NOT NULL,
	started DATETIME NOT NULL,
	ended DATETIME,
	wall_s FLOAT,
	person VARCHAR(200),
	orcid VARCHAR(20),
	host VARCHAR(255) NOT NULL,
	engine VARCHAR(60) NOT NULL,
	workers INTEGER NOT NULL,
	error TEXT,
	gateway VARCHAR(60) NOT NULL,
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
CREATE TABLE sessions (
	id VARCHAR(64) NOT NULL,
	person VARCHAR(120) NOT NULL,
	kind VARCHAR(10) NOT NULL,
	note VARCHAR(200) NOT NULL,
	made DATETIME NOT NULL,
	expires DATETIME NOT NULL,
	ended DATETIME, vouched VARCHAR(80),
	CONSTRAINT pk_sessions PRIMARY KEY (id),
	CONSTRAINT fk_sessions_person_people FOREIGN KEY(person) REFERENCES people (name) ON DELETE CASCADE
);
CREATE TABLE source_files (
	run VARCHAR(120) NOT NULL,
	position INTEGER NOT NULL,
	path TEXT NOT NULL,
	size BIGINT NOT NULL,
	checksum VARCHAR(100) NOT NULL,
	CONSTRAINT pk_source_files PRIMARY KEY (run, position),
	CONSTRAINT fk_source_files_run_runs FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE uploads (
	id VARCHAR(40) NOT NULL,
	person VARCHAR(120) NOT NULL,
	name VARCHAR(255) NOT NULL,
	size BIGINT NOT NULL,
	sha256 VARCHAR(64),
	made DATETIME NOT NULL,
	touched DATETIME NOT NULL,
	complete BOOLEAN NOT NULL,
	CONSTRAINT pk_uploads PRIMARY KEY (id)
);
CREATE TABLE view_versions (
	"view" VARCHAR(20) NOT NULL,
	version INTEGER NOT NULL,
	name VARCHAR(200) NOT NULL,
	state JSON NOT NULL,
	who VARCHAR(120) NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT pk_view_versions PRIMARY KEY ("view", version),
	CONSTRAINT fk_view_versions_view_views FOREIGN KEY("view") REFERENCES views (id) ON DELETE CASCADE
);
CREATE TABLE views (
	id VARCHAR(20) NOT NULL,
	dataset VARCHAR(120) NOT NULL,
	name VARCHAR(200) NOT NULL,
	made_by VARCHAR(120) NOT NULL,
	made DATETIME NOT NULL,
	version INTEGER NOT NULL,
	CONSTRAINT pk_views PRIMARY KEY (id)
);
CREATE INDEX ix_entries_made_by ON entries (made_by);
CREATE INDEX ix_runs_tool ON runs (tool);
CREATE INDEX ix_runs_call_digest ON runs (call_digest);
CREATE INDEX ix_runs_status ON runs (status);
CREATE INDEX ix_runs_started ON runs (started);
CREATE INDEX ix_run_ports_ref ON run_ports (ref);
CREATE INDEX ix_source_files_checksum ON source_files (checksum);
CREATE INDEX ix_members_person ON members (person);
CREATE INDEX ix_sessions_person ON sessions (person);
CREATE INDEX ix_login_links_person ON login_links (person);
CREATE INDEX ix_attempts_subject_at ON attempts (subject, at);
CREATE INDEX ix_grants_subject ON grants (subject);
CREATE INDEX ix_links_dataset ON links (dataset);
CREATE INDEX ix_audit_at ON audit (at);
CREATE INDEX ix_audit_who ON audit (who);
CREATE INDEX ix_audit_action ON audit (action);
CREATE INDEX ix_audit_dataset ON audit (dataset);
CREATE INDEX ix_jobs_person ON jobs (person);
CREATE INDEX ix_jobs_tool ON jobs (tool);
CREATE INDEX ix_jobs_status ON jobs (status);
CREATE INDEX ix_jobs_asked ON jobs (asked);
CREATE INDEX ix_jobs_made ON jobs (made);
CREATE INDEX ix_jobs_run ON jobs (run);
CREATE INDEX ix_uploads_person ON uploads (person);
CREATE INDEX ix_uploads_touched ON uploads (touched);
CREATE INDEX ix_facets_facet ON facets (facet, value, dataset);
CREATE INDEX ix_views_dataset ON views (dataset);
CREATE INDEX ix_datasets_changed ON datasets (changed);
CREATE INDEX ix_run_ports_dataset ON run_ports (dataset);
CREATE INDEX ix_layers_changed ON layers (changed);
CREATE UNIQUE INDEX ix_layer_objects_id ON layer_objects (layer, id);
CREATE INDEX ix_layer_batches_stack ON layer_batches (layer, person, stack, ordinal);
CREATE INDEX ix_layer_edits_object ON layer_edits (layer, object, version);
CREATE INDEX ix_layer_queues_layer ON layer_queues (layer);
CREATE INDEX ix_layer_queue_items_person ON layer_queue_items (queue, person, state);
CREATE INDEX ix_layer_queue_items_state ON layer_queue_items (queue, state, position);
CREATE INDEX ix_leases_person ON leases (person);
CREATE INDEX ix_leases_status ON leases (status);
CREATE INDEX ix_lease_parts_lease ON lease_parts (lease);
