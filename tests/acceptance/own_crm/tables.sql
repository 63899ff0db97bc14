CREATE SCHEMA desk;
CREATE TYPE desk.stage AS ENUM ('open', 'won', 'lost');

CREATE TABLE desk.article (
    article_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title      varchar(100)   NOT NULL,
    "group"    text,
    price      numeric(12, 2) CHECK (price >= 0)
);

CREATE TABLE desk."Client" (
    "Client Id" uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    "Name"      varchar(60) NOT NULL,
    email       text        CHECK (email LIKE '%_@_%'),
    phone       text,
    stage       desk.stage  NOT NULL DEFAULT 'open',
    tags        text[]      NOT NULL DEFAULT '{}',
    source      text        NOT NULL,
    head_office uuid        REFERENCES desk."Client",
    entered     timestamptz NOT NULL DEFAULT now(),
    search      tsvector    GENERATED ALWAYS AS (to_tsvector('simple', "Name")) STORED
);

CREATE TABLE desk.bill (
    bill_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client   uuid NOT NULL REFERENCES desk."Client",
    number   text NOT NULL,
    issued   date NOT NULL,
    total    numeric(12, 2) NOT NULL,
    currency char(3) NOT NULL DEFAULT 'USD',
    UNIQUE (number, issued)
);

CREATE FUNCTION desk.tidy_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."Name" ILIKE 'test %' THEN
        RAISE EXCEPTION 'test clients do not belong in the CRM';
    END IF;
    NEW.email := lower(NEW.email);
    RETURN NEW;
END $$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON desk."Client"
    FOR EACH ROW EXECUTE FUNCTION desk.tidy_client();
