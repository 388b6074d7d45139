-- The tables of release 0.1. Words in braces are filled in per engine by outrider/db/names.py:
-- {id} = the row's own number, {int} = 64 bits, {bytes} = binary, {strict} = SQLite's STRICT.
-- Times are whole seconds since 1970 (UTC). Addresses are stored folded (outrider.addresses.fold).

-- Directory: who exists. -------------------------------------------------------------------------

CREATE TABLE domain (
    name TEXT PRIMARY KEY,              -- A-label, lower case
    kind TEXT NOT NULL CHECK (kind IN ('own', 'disposable', 'external')),
    catch_all {int},                   -- account that gets what nobody else gets
    created {int} NOT NULL
){strict};

CREATE TABLE directory_user (
    id {id},
    address TEXT NOT NULL UNIQUE,       -- the login
    password TEXT NOT NULL,             -- {SCHEME}hash
    enabled {int} NOT NULL,
    language TEXT NOT NULL,
    quota {int} NOT NULL,              -- bytes, 0 = no limit
    created {int} NOT NULL
){strict};

-- Store: what Outrider owns. Rows hang on account.id, which never comes back. ---------------------

CREATE TABLE account (
    id {id},
    directory TEXT NOT NULL,
    source_key TEXT NOT NULL,           -- the directory's own key of the person
    opaque TEXT NOT NULL UNIQUE,        -- random local part in the opaque domain
    ended {int},
    UNIQUE (directory, source_key)
){strict};

CREATE TABLE account_event (
    id {id},
    account_id {int} NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('ended', 'disabled', 'enabled', 'password')),
    at {int} NOT NULL
){strict};

CREATE TABLE notice (
    account_id {int} NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    day {int} NOT NULL,                -- days since 1970
    sent {int},
    PRIMARY KEY (account_id, kind, object, day)
){strict};

-- authd ------------------------------------------------------------------------------------------

CREATE TABLE sign_in (
    account_id {int} PRIMARY KEY,
    level {int} NOT NULL CHECK (level BETWEEN 0 AND 4)
){strict};

CREATE TABLE token (
    id {id},
    account_id {int} NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'disabled')),
    secret {bytes} NOT NULL,            -- sealed, bound to this row (outrider.sealed)
    algorithm TEXT NOT NULL,
    digits {int} NOT NULL,
    period {int} NOT NULL,             -- seconds
    last {int} NOT NULL,               -- highest step or counter ever accepted
    drift {int} NOT NULL,              -- steps
    wrong {int} NOT NULL,              -- wrong codes since the last right one; five end a pending token
    created {int} NOT NULL,
    confirmed {int}
){strict};
CREATE INDEX token_account ON token (account_id);

CREATE TABLE app_password (
    id {id},
    account_id {int} NOT NULL,
    prefix TEXT NOT NULL UNIQUE,        -- public part, by which the row is found
    digest {bytes} NOT NULL,            -- SHA-256 of the secret part, which is random
    scopes TEXT NOT NULL,               -- names of services, one space between
    label TEXT NOT NULL,
    created {int} NOT NULL,
    expires {int},
    revoked {int}
){strict};
CREATE INDEX app_password_account ON app_password (account_id);

-- policy -----------------------------------------------------------------------------------------

CREATE TABLE alias (
    address TEXT PRIMARY KEY,
    account_id {int} NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('disposable', 'permanent')),
    label TEXT NOT NULL,
    created {int} NOT NULL,
    expires {int}                      -- NULL = never
){strict};
CREATE INDEX alias_account ON alias (account_id);

CREATE TABLE tombstone (
    address TEXT PRIMARY KEY,           -- given out once, never again
    created {int} NOT NULL
){strict};

-- hkpd -------------------------------------------------------------------------------------------

CREATE TABLE certificate (
    id {id},
    account_id {int} NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,   -- lower-case hex
    version {int} NOT NULL,            -- of the OpenPGP key: 4 or 6
    body {bytes} NOT NULL,              -- cleaned, binary
    armored {bytes} NOT NULL,           -- what op=get answers
    listing {bytes} NOT NULL,           -- what op=index answers in machine-readable form
    published {int} NOT NULL,           -- 0 = in no look-up
    revoked {int} NOT NULL,
    expires {int},                      -- NULL = never
    updated {int} NOT NULL
){strict};
CREATE INDEX certificate_account ON certificate (account_id);

CREATE TABLE certificate_key (          -- every primary key and subkey by its ids
    certificate_id {int} NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    key_id TEXT NOT NULL,
    PRIMARY KEY (certificate_id, fingerprint)
){strict};
CREATE INDEX certificate_key_id ON certificate_key (key_id);
CREATE INDEX certificate_key_fingerprint ON certificate_key (fingerprint);

CREATE TABLE certificate_address (      -- the one canonical certificate of an address
    address TEXT PRIMARY KEY,
    certificate_id {int} NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,
    domain TEXT NOT NULL,
    wkd_hash TEXT NOT NULL,             -- z-base-32 of SHA-1 of the local part
    body {bytes} NOT NULL,              -- what Web Key Directory answers: this user ID alone
    UNIQUE (domain, wkd_hash)
){strict};
CREATE INDEX certificate_address_certificate ON certificate_address (certificate_id);
