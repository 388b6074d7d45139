-- Limits and audit of authd: what has to survive a restart. Only new tables: older releases go on working.

CREATE TABLE token_guard (              -- right codes beside a wrong secret; ten lock the token (token.locked)
    token_id {int} PRIMARY KEY,
    account_id {int} NOT NULL,
    wrong {int} NOT NULL               -- since the last login with this token
){strict};
CREATE INDEX token_guard_account ON token_guard (account_id);

CREATE TABLE account_guard (            -- the right secret beside a wrong code
    account_id {int} PRIMARY KEY,
    secret {bytes} NOT NULL,            -- digest of the stored password: another password counts anew
    since {int} NOT NULL,              -- first failure counted in `total`
    in_a_row {int} NOT NULL,           -- since the last login with a code
    total {int} NOT NULL,
    closed {int}                       -- logins with codes are closed since then; NULL = open
){strict};

CREATE TABLE known_network (            -- where an account got in lately
    account_id {int} NOT NULL,
    network TEXT NOT NULL,              -- /24 or /64
    last {int} NOT NULL,
    PRIMARY KEY (account_id, network)
){strict};
CREATE INDEX known_network_last ON known_network (last);

CREATE TABLE login_audit (              -- what an owner can read of his logins
    id {id},
    account_id {int} NOT NULL,
    at {int} NOT NULL,
    service TEXT NOT NULL,
    network TEXT NOT NULL,              -- /24 or /64; `-` = not known, `many` = from many at once
    credential TEXT NOT NULL,           -- what let in: `password`, `token 7`, `app-password 3`; `-` = nothing
    result TEXT NOT NULL CHECK (result IN ('yes', 'no', 'later')),
    class TEXT NOT NULL CHECK (class IN ('A', 'B', 'C', '-')),
    why TEXT NOT NULL,
    times {int} NOT NULL               -- alike within one second
){strict};
CREATE INDEX login_audit_account ON login_audit (account_id, id);
CREATE INDEX login_audit_at ON login_audit (at);
