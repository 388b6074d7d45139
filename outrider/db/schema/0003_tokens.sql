-- Every kind of token, recovery codes, PINs, tickets. Only adds: a release that knows 0001 goes on working, and answers
-- "later" where a token is of a kind that it does not know.

ALTER TABLE token ADD COLUMN extra {bytes};             -- sealed like the secret: PIN of mOTP, private id of a Yubikey
ALTER TABLE token ADD COLUMN public_id TEXT;            -- what a Yubikey types first, modhex
ALTER TABLE token ADD COLUMN base {int} NOT NULL DEFAULT 0;   -- steps by which a resync found its clock ahead
ALTER TABLE token ADD COLUMN locked {int};              -- since when nothing of it is right, until it is unlocked
ALTER TABLE token ADD COLUMN stock {int};               -- the row of token_stock that its confirmation takes away

ALTER TABLE app_password ADD COLUMN networks TEXT;      -- from where it is good, CIDR, one space between; NULL = anywhere
ALTER TABLE app_password ADD COLUMN used {int};         -- its last use, to the hour

CREATE TABLE token_stock (              -- Yubikeys that the operator has and nobody owns yet
    id {id},
    public_id TEXT NOT NULL UNIQUE,
    secret {bytes} NOT NULL,            -- sealed, bound to the public id: the AES key
    extra {bytes} NOT NULL,             -- likewise: the private id
    label TEXT NOT NULL,                -- the maker's serial number
    created {int} NOT NULL
){strict};

CREATE TABLE token_pin (                -- who types a PIN before the code, not the password
    account_id {int} PRIMARY KEY,
    pin TEXT NOT NULL                   -- {SCHEME}hash
){strict};

CREATE TABLE recovery_code (
    id {id},
    account_id {int} NOT NULL,
    digest {bytes} NOT NULL,            -- SHA-256 of the code, which is random
    created {int} NOT NULL,
    used_at {int}
){strict};
CREATE INDEX recovery_code_account ON recovery_code (account_id);

CREATE TABLE ticket (                   -- what a webmail logs in with after its user has
    id {id},
    account_id {int} NOT NULL,
    prefix TEXT NOT NULL UNIQUE,        -- public part, by which the row is found
    digest {bytes} NOT NULL,            -- SHA-256 of the secret part, which is random
    services TEXT NOT NULL,             -- one space between
    peers TEXT NOT NULL,                -- networks of the webmail, CIDR, one space between
    event {int} NOT NULL,               -- the account's last row in account_event then: a later one may end it
    created {int} NOT NULL,
    used {int} NOT NULL                 -- its last use, to the minute
){strict};
CREATE INDEX ticket_account ON ticket (account_id);

CREATE TABLE seen_otp (                 -- codes that were sent to a validation server
    digest {bytes} PRIMARY KEY,         -- SHA-256
    at {int} NOT NULL
){strict};
