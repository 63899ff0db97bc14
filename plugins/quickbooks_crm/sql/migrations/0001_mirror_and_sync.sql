-- The mirror of QuickBooks and the tables that account for every row.

CREATE SCHEMA quickbooks;
CREATE SCHEMA IF NOT EXISTS sync;

-- ── the mirror ──────────────────────────────────────────────────────────────────────────────

CREATE TABLE quickbooks.record (
    realm       text        NOT NULL,
    entity      text        NOT NULL,
    id          text        NOT NULL,
    sync_token  bigint      NOT NULL,
    updated_at  timestamptz,
    deleted     boolean     NOT NULL DEFAULT false,
    generation  bigint      NOT NULL,
    payload     jsonb       NOT NULL,
    PRIMARY KEY (realm, entity, id)
);
ALTER TABLE quickbooks.record SET (toast_tuple_target = 8160);
CREATE INDEX record_generation ON quickbooks.record (generation, entity);
COMMENT ON TABLE quickbooks.record IS 'What QuickBooks sent, newest version only, untouched.';
COMMENT ON COLUMN quickbooks.record.sync_token IS 'QuickBooks'' version number of the record; the greater one wins.';
COMMENT ON COLUMN quickbooks.record.deleted IS 'Deleted in QuickBooks; payload is the last version known, or the stub that told of the delete.';
COMMENT ON COLUMN quickbooks.record.generation IS 'The sync.generation under which the row last changed.';

-- ── runs, lease and fencing ─────────────────────────────────────────────────────────────────

CREATE TABLE sync.run (
    realm        text        NOT NULL,
    run_id       text        NOT NULL,
    company      text        NOT NULL,
    trigger      text        NOT NULL,
    started_by   text,
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    state        text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'success', 'failed')),
    mappings     jsonb       NOT NULL DEFAULT '{}',
    modules      text[]      NOT NULL DEFAULT '{}',
    work         text[],
    fetched      jsonb       NOT NULL DEFAULT '{}',
    api_calls    integer     NOT NULL DEFAULT 0,
    errors       jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (realm, run_id)
);
CREATE INDEX run_started ON sync.run (started_at DESC);
CREATE INDEX run_company_started ON sync.run (company, started_at DESC);
COMMENT ON COLUMN sync.run.trigger IS 'scheduled, manual or command line.';
COMMENT ON COLUMN sync.run.mappings IS 'Module -> hash in sync.mapping_snapshot: what this run uses, whatever happens to the files meanwhile.';
COMMENT ON COLUMN sync.run.modules IS 'Modules this run was asked to bring up to date, in load order.';
COMMENT ON COLUMN sync.run.work IS 'Modules with work, as extract found at its end; NULL until then.';
COMMENT ON COLUMN sync.run.fetched IS 'Entity -> number of records that QuickBooks sent.';
COMMENT ON COLUMN sync.run.errors IS 'Task -> {code, message}; a task that succeeds on a later try takes its entry away.';

CREATE TABLE sync.lease (
    realm    text PRIMARY KEY,
    company  text,
    run_id   text,
    taken_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sync.lease.company IS 'Whose QuickBooks company this is: the file in include/companies/ that last ran.';
COMMENT ON TABLE sync.lease IS 'Which run may write for a company; no row or no run_id: nobody.';

CREATE SEQUENCE sync.epoch;
CREATE TABLE sync.attempt (
    realm      text   NOT NULL,
    task       text   NOT NULL,
    run_id     text   NOT NULL,
    epoch      bigint NOT NULL,
    renewed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, task)
);
COMMENT ON TABLE sync.attempt IS 'The newest try of each task; an older epoch is a zombie and may not write.';

CREATE TABLE sync.generation (
    generation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm      text        NOT NULL,
    run_id     text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    sealed_at  timestamptz
);
CREATE INDEX generation_realm ON sync.generation (realm, generation);
COMMENT ON COLUMN sync.generation.sealed_at IS 'When the extract that wrote it was whole.';

-- ── positions ───────────────────────────────────────────────────────────────────────────────

CREATE TABLE sync.entity_position (
    realm         text NOT NULL,
    entity        text NOT NULL,
    changed_since timestamptz NOT NULL,
    full_read_at  timestamptz NOT NULL,
    PRIMARY KEY (realm, entity)
);
COMMENT ON COLUMN sync.entity_position.changed_since IS 'QuickBooks'' own clock: everything up to here is in the mirror.';

CREATE FUNCTION sync.never_backwards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a position may not move backwards: %', TG_TABLE_NAME;
END $$;
CREATE TRIGGER forwards BEFORE UPDATE ON sync.entity_position
    FOR EACH ROW WHEN (NEW.changed_since < OLD.changed_since) EXECUTE FUNCTION sync.never_backwards();

CREATE TABLE sync.module_position (
    realm        text   NOT NULL,
    module       text   NOT NULL,
    generation   bigint NOT NULL,
    mapping_hash text   NOT NULL,
    target       text   NOT NULL,
    run_id       text   NOT NULL,
    loaded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, module)
);
CREATE TRIGGER forwards BEFORE UPDATE ON sync.module_position
    FOR EACH ROW WHEN (NEW.generation < OLD.generation) EXECUTE FUNCTION sync.never_backwards();
COMMENT ON COLUMN sync.module_position.target IS 'The CRM table that the module''s links point into.';
COMMENT ON COLUMN sync.module_position.generation IS 'The last sealed generation that this module has loaded.';

-- ── login ───────────────────────────────────────────────────────────────────────────────────

CREATE TABLE sync.token (
    realm                  text PRIMARY KEY,
    refresh_token          text,
    previous_refresh_token text,
    access_token           text,
    access_expires_at      timestamptz,
    refresh_expires_at     timestamptz,
    hard_expires_at        timestamptz,
    seed_hash              text,
    former_seed_hashes     text[] NOT NULL DEFAULT '{}',
    refused_seed_hashes    text[] NOT NULL DEFAULT '{}',
    state                  text NOT NULL DEFAULT 'reconnect_needed' CHECK (state IN ('connected', 'reconnect_needed')),
    version                bigint NOT NULL DEFAULT 0,
    attempted_at           timestamptz,
    updated_at             timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sync.token IS 'QuickBooks tokens, encrypted with Airflow''s Fernet key. The Airflow connection only brings the first one.';
COMMENT ON COLUMN sync.token.seed_hash IS 'SHA-256 of the first refresh token this row began with, NULL before any was accepted; another one in the connection is proven first.';
COMMENT ON COLUMN sync.token.former_seed_hashes IS 'First refresh tokens this row began with before; they are never tried again.';
COMMENT ON COLUMN sync.token.refused_seed_hashes IS 'SHA-256 of client id and first refresh token that Intuit refused together; they are tried once.';

-- ── from the mirror to the CRM ──────────────────────────────────────────────────────────────

CREATE TABLE sync.mapping_snapshot (
    hash      text PRIMARY KEY,
    module    text NOT NULL,
    content   text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sync.mapping_snapshot IS 'Every mapping ever used, by the SHA-256 of its text.';

CREATE TABLE sync.link (
    realm       text  NOT NULL,
    entity      text  NOT NULL,
    id          text  NOT NULL,
    module      text  NOT NULL,
    record_key  text  NOT NULL,
    source_hash text  NOT NULL,
    written     jsonb NOT NULL,
    state       text  NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'inactive', 'deleted')),
    run_id      text  NOT NULL,
    linked_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, entity, id, module)
);
-- No index begins like the primary key: without statistics Postgres would take it for the key.
CREATE INDEX link_record ON sync.link (record_key, module);
COMMENT ON TABLE sync.link IS 'Which CRM record a QuickBooks record has become: its identity from then on.';
COMMENT ON COLUMN sync.link.source_hash IS 'Hash of the values the mapping made, references included; equal and the record untouched means unchanged.';
COMMENT ON COLUMN sync.link.written IS 'The mapped columns as the table stored them after the last write (after its triggers).';
COMMENT ON COLUMN sync.link.state IS 'What QuickBooks last said of the record.';

CREATE TABLE sync.held (
    realm         text NOT NULL,
    module        text NOT NULL,
    entity        text NOT NULL,
    id            text NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('duplicate', 'not_added', 'excluded')),
    reason        text NOT NULL,
    collides_with text,
    mapping_hash  text NOT NULL,
    run_id        text NOT NULL,
    PRIMARY KEY (realm, module, entity, id)
);
COMMENT ON TABLE sync.held IS 'Records that are not in the CRM as they are in QuickBooks now, and why; tried again when they or their mapping change.';

CREATE VIEW sync.target AS
    SELECT realm, module, entity, id, record_key FROM sync.link
    UNION ALL
    SELECT realm, module, entity, id, collides_with FROM sync.held AS held
     WHERE outcome = 'duplicate' AND collides_with IS NOT NULL
       AND NOT EXISTS (SELECT FROM sync.link AS link
                        WHERE (link.realm, link.entity, link.id, link.module)
                            = (held.realm, held.entity, held.id, held.module));
COMMENT ON VIEW sync.target IS 'The CRM record that a reference to a QuickBooks record means: its own, or the one it is a duplicate of.';

CREATE TABLE sync.parked (
    realm         text NOT NULL,
    module        text NOT NULL,
    entity        text NOT NULL,
    id            text NOT NULL,
    field         text NOT NULL,
    target_module text NOT NULL,
    target_entity text NOT NULL,
    target_id     text NOT NULL,
    run_id        text NOT NULL,
    PRIMARY KEY (realm, module, entity, id, field)
);
CREATE INDEX parked_target ON sync.parked (realm, target_module, target_entity, target_id);
COMMENT ON TABLE sync.parked IS 'Open references: the record they point to is not in the CRM yet.';

CREATE TABLE sync.resolved_reference (
    realm      text NOT NULL,
    run_id     text NOT NULL,
    module     text NOT NULL,
    entity     text NOT NULL,
    id         text NOT NULL,
    field      text NOT NULL,
    record_key text NOT NULL,
    target_key text NOT NULL,
    closed_by  text NOT NULL,
    PRIMARY KEY (realm, run_id, module, entity, id, field)
);
COMMENT ON COLUMN sync.resolved_reference.closed_by IS 'The module whose load brought the record that was missing.';
COMMENT ON TABLE sync.resolved_reference IS 'References that a run closed in records loaded earlier.';

CREATE UNLOGGED TABLE sync.staged (
    realm      text    NOT NULL,
    run_id     text    NOT NULL,
    module     text    NOT NULL,
    entity     text    NOT NULL,
    id         text    NOT NULL,
    state      text    NOT NULL,
    fields     jsonb   NOT NULL,
    refs       jsonb   NOT NULL,
    outcome    text,
    reason     text,
    message    text,
    details    jsonb,
    PRIMARY KEY (realm, run_id, module, entity, id)
);
COMMENT ON TABLE sync.staged IS 'Rows on their way from the mirror to a CRM table; outcome is set for rows that end here.';

CREATE TABLE sync.stage (
    realm      text    NOT NULL,
    run_id     text    NOT NULL,
    module     text    NOT NULL,
    generation bigint  NOT NULL,
    rows       bigint  NOT NULL,
    checksum   bigint  NOT NULL,
    sealed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, run_id, module)
);
COMMENT ON TABLE sync.stage IS 'The seal of a module''s staged rows: how many there are, and their checksum.';

-- ── activity ────────────────────────────────────────────────────────────────────────────────

CREATE TABLE sync.activity (
    realm           text   NOT NULL,
    run_id          text   NOT NULL,
    module          text   NOT NULL,
    mapping_hash    text   NOT NULL,
    mode            text   NOT NULL,
    from_generation bigint NOT NULL,
    to_generation   bigint NOT NULL,
    read            bigint NOT NULL,
    added           bigint NOT NULL,
    updated         bigint NOT NULL,
    unchanged       bigint NOT NULL,
    duplicate       bigint NOT NULL,
    not_added       bigint NOT NULL,
    excluded        bigint NOT NULL,
    deactivated     bigint NOT NULL,
    deleted         bigint NOT NULL,
    resolved        bigint NOT NULL,
    loaded_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, run_id, module),
    FOREIGN KEY (realm, run_id) REFERENCES sync.run,
    CONSTRAINT every_row_is_accounted_for
        CHECK (read = added + updated + unchanged + duplicate + not_added + excluded),
    CHECK (deactivated + deleted <= updated)
);
COMMENT ON COLUMN sync.activity.deactivated IS 'Of the updated: newly inactive in QuickBooks.';
COMMENT ON COLUMN sync.activity.deleted IS 'Of the updated: newly deleted in QuickBooks.';
COMMENT ON COLUMN sync.activity.resolved IS 'References that this load closed in records loaded earlier.';

CREATE TABLE sync.outcome (
    realm         text NOT NULL,
    run_id        text NOT NULL,
    module        text NOT NULL,
    entity        text NOT NULL,
    id            text NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('added', 'updated', 'unchanged', 'duplicate', 'not_added', 'excluded')),
    reason        text,
    message       text,
    details       jsonb,
    flag          text CHECK (flag IN ('deactivated', 'reactivated', 'deleted')),
    record_key    text,
    collides_with text,
    before        jsonb,
    after         jsonb,
    PRIMARY KEY (realm, run_id, module, entity, id),
    CHECK (outcome IN ('added', 'updated', 'unchanged') OR (reason IS NOT NULL AND message IS NOT NULL)),
    CHECK (outcome NOT IN ('added', 'updated') OR (record_key IS NOT NULL AND after IS NOT NULL))
);
CREATE INDEX outcome_kind ON sync.outcome (outcome, run_id, module, realm, id);
CREATE INDEX outcome_record ON sync.outcome (id, entity, module, realm);
COMMENT ON TABLE sync.outcome IS 'How every record that a run read ended.';
COMMENT ON COLUMN sync.outcome.reason IS 'A code; message says the same to a person.';
COMMENT ON COLUMN sync.outcome.flag IS 'What QuickBooks newly says of the record, where that is news.';
COMMENT ON COLUMN sync.outcome.collides_with IS 'The CRM record this one collides with; several candidates are in details.';
COMMENT ON COLUMN sync.outcome.before IS 'The mapped columns before the run, of an update.';
COMMENT ON COLUMN sync.outcome.after IS 'The mapped columns after the run, as the table stored them.';

-- ── comparing ───────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION sync.latin_folded(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(translate(lower(value COLLATE "C"),
        'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĴĶĹĻĽŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽ'
        'ƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƠƢƤƦƧƩƬƮƯƱƲƳƵƷƸƼǍǏǑǓǕǗǙǛǞǠǢǤǦǨǪǬǮǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲȺȻȽȾ'
        'ɁɃɄɅɆɈɊɌɎ',
        'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĵķĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżž'
        'ɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵơƣƥʀƨʃƭʈưʊʋƴƶʒƹƽǎǐǒǔǖǘǚǜǟǡǣǥǧǩǫǭǯǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳⱥȼƚⱦ'
        'ɂƀʉʌɇɉɋɍɏ'),
    'ß', 'ss'), 'İ', U&'i\0307');
COMMENT ON FUNCTION sync.latin_folded IS 'The part of sync.case_folded that most names need: a short table is a quick one.';

CREATE FUNCTION sync.case_folded(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value ~ U&'[\0250-\+10FFFF]' THEN replace(translate(sync.latin_folded(value),
        'ͅͰͲͶͿΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫςϏϘϚϜϞϠϢϤϦϨϪϬϮϷϺϽϾϿЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПР'
        'СТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼ'
        'ӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵႶႷႸႹႺ'
        'ႻႼႽႾႿჀჁჂჃჄჅჇჍᏸᏹᏺᏻᏼᏽᲀᲁᲂᲃᲄᲅᲆᲇᲈᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟᲠᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞ'
        'ḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜ'
        'ỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾἈἉἊἋἌἍἎἏἘἙἚἛἜἝἨἩἪἫἬἭἮἯἸἹἺἻἼἽἾἿὈὉὊὋὌὍὙὛὝὟὨὩὪὫὬὭὮὯᾈᾉᾊᾋᾌᾍᾎᾏᾘᾙᾚᾛᾜᾝᾞᾟᾨᾩᾪᾫᾬᾭᾮᾯᾸ'
        'ᾹᾺᾼῈῊῌῘῙῚῨῩῪῬῸῺῼℲↃⰀⰁⰂⰃⰄⰅⰆⰇⰈⰉⰊⰋⰌⰍⰎⰏⰐⰑⰒⰓⰔⰕⰖⰗⰘⰙⰚⰛⰜⰝⰞⰟⰠⰡⰢⰣⰤⰥⰦⰧⰨⰩⰪⰫⰬⰭⰮⰯⱠⱢⱣⱤⱧⱩⱫⱭⱮⱯⱰⱲⱵⱾⱿⲀⲂⲄⲆⲈⲊⲌⲎⲐ'
        'ⲒⲔⲖⲘⲚⲜⲞⲠⲢⲤⲦⲨⲪⲬⲮⲰⲲⲴⲶⲸⲺⲼⲾⳀⳂⳄⳆⳈⳊⳌⳎⳐⳒⳔⳖⳘⳚⳜⳞⳠⳢⳫⳭⳲꙀꙂꙄꙆꙈꙊꙌꙎꙐꙒꙔꙖꙘꙚꙜꙞꙠꙢꙤꙦꙨꙪꙬꚀꚂꚄꚆꚈꚊꚌꚎꚐꚒꚔꚖꚘꚚꜢꜤꜦꜨꜪꜬꜮꜲꜴ'
        'ꜶꜸꜺꜼꜾꝀꝂꝄꝆꝈꝊꝌꝎꝐꝒꝔꝖꝘꝚꝜꝞꝠꝢꝤꝦꝨꝪꝬꝮꝹꝻꝽꝾꞀꞂꞄꞆꞋꞍꞐꞒꞖꞘꞚꞜꞞꞠꞢꞤꞦꞨꞪꞫꞬꞭꞮꞰꞱꞲꞳꞴꞶꞸꞺꞼꞾꟀꟂꟄꟅꟆꟇꟉꟐꟖꟘꟵꭰꭱꭲꭳꭴꭵꭶꭷꭸꭹꭺꭻꭼ'
        'ꭽꭾꭿꮀꮁꮂꮃꮄꮅꮆꮇꮈꮉꮊꮋꮌꮍꮎꮏꮐꮑꮒꮓꮔꮕꮖꮗꮘꮙꮚꮛꮜꮝꮞꮟꮠꮡꮢꮣꮤꮥꮦꮧꮨꮩꮪꮫꮬꮭꮮꮯꮰꮱꮲꮳꮴꮵꮶꮷꮸꮹꮺꮻꮼꮽꮾꮿ𐐀𐐁𐐂𐐃𐐄𐐅𐐆𐐇𐐈𐐉𐐊𐐋𐐌𐐍𐐎𐐏𐐐𐐑𐐒𐐓𐐔𐐕𐐖'
        '𐐗𐐘𐐙𐐚𐐛𐐜𐐝𐐞𐐟𐐠𐐡𐐢𐐣𐐤𐐥𐐦𐐧𐒰𐒱𐒲𐒳𐒴𐒵𐒶𐒷𐒸𐒹𐒺𐒻𐒼𐒽𐒾𐒿𐓀𐓁𐓂𐓃𐓄𐓅𐓆𐓇𐓈𐓉𐓊𐓋𐓌𐓍𐓎𐓏𐓐𐓑𐓒𐓓𐕰𐕱𐕲𐕳𐕴𐕵𐕶𐕷𐕸𐕹𐕺𐕼𐕽𐕾𐕿𐖀𐖁𐖂𐖃𐖄𐖅𐖆𐖇𐖈𐖉𐖊𐖌𐖍𐖎𐖏𐖐𐖑𐖒𐖔𐖕𐲀𐲁'
        '𐲂𐲃𐲄𐲅𐲆𐲇𐲈𐲉𐲊𐲋𐲌𐲍𐲎𐲏𐲐𐲑𐲒𐲓𐲔𐲕𐲖𐲗𐲘𐲙𐲚𐲛𐲜𐲝𐲞𐲟𐲠𐲡𐲢𐲣𐲤𐲥𐲦𐲧𐲨𐲩𐲪𐲫𐲬𐲭𐲮𐲯𐲰𐲱𐲲𑢠𑢡𑢢𑢣𑢤𑢥𑢦𑢧𑢨𑢩𑢪𑢫𑢬𑢭𑢮𑢯𑢰𑢱𑢲𑢳𑢴𑢵𑢶𑢷𑢸𑢹𑢺𑢻𑢼𑢽𑢾𑢿𖹀𖹁𖹂𖹃𖹄𖹅𖹆𖹇𖹈'
        '𖹉𖹊𖹋𖹌𖹍𖹎𖹏𖹐𖹑𖹒𖹓𖹔𖹕𖹖𖹗𖹘𖹙𖹚𖹛𖹜𖹝𖹞𖹟𞤀𞤁𞤂𞤃𞤄𞤅𞤆𞤇𞤈𞤉𞤊𞤋𞤌𞤍𞤎𞤏𞤐𞤑𞤒𞤓𞤔𞤕𞤖𞤗𞤘𞤙𞤚𞤛𞤜𞤝𞤞𞤟𞤠𞤡',
        'ιͱͳͷϳάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋσϗϙϛϝϟϡϣϥϧϩϫϭϯϸϻͻͼͽѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопр'
        'стуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽ'
        'ӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕⴖⴗⴘⴙⴚ'
        'ⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥⴧⴭᏰᏱᏲᏳᏴᏵвдосттъѣꙋაბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺჽჾჿḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟ'
        'ḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờ'
        'ởỡợụủứừửữựỳỵỷỹỻỽỿἀἁἂἃἄἅἆἇἐἑἒἓἔἕἠἡἢἣἤἥἦἧἰἱἲἳἴἵἶἷὀὁὂὃὄὅὑὓὕὗὠὡὢὣὤὥὦὧᾀᾁᾂᾃᾄᾅᾆᾇᾐᾑᾒᾓᾔᾕᾖᾗᾠᾡᾢᾣᾤᾥᾦᾧᾰ'
        'ᾱὰᾳὲὴῃῐῑὶῠῡὺῥὸὼῳⅎↄⰰⰱⰲⰳⰴⰵⰶⰷⰸⰹⰺⰻⰼⰽⰾⰿⱀⱁⱂⱃⱄⱅⱆⱇⱈⱉⱊⱋⱌⱍⱎⱏⱐⱑⱒⱓⱔⱕⱖⱗⱘⱙⱚⱛⱜⱝⱞⱟⱡɫᵽɽⱨⱪⱬɑɱɐɒⱳⱶȿɀⲁⲃⲅⲇⲉⲋⲍⲏⲑ'
        'ⲓⲕⲗⲙⲛⲝⲟⲡⲣⲥⲧⲩⲫⲭⲯⲱⲳⲵⲷⲹⲻⲽⲿⳁⳃⳅⳇⳉⳋⳍⳏⳑⳓⳕⳗⳙⳛⳝⳟⳡⳣⳬⳮⳳꙁꙃꙅꙇꙉꙋꙍꙏꙑꙓꙕꙗꙙꙛꙝꙟꙡꙣꙥꙧꙩꙫꙭꚁꚃꚅꚇꚉꚋꚍꚏꚑꚓꚕꚗꚙꚛꜣꜥꜧꜩꜫꜭꜯꜳꜵ'
        'ꜷꜹꜻꜽꜿꝁꝃꝅꝇꝉꝋꝍꝏꝑꝓꝕꝗꝙꝛꝝꝟꝡꝣꝥꝧꝩꝫꝭꝯꝺꝼᵹꝿꞁꞃꞅꞇꞌɥꞑꞓꞗꞙꞛꞝꞟꞡꞣꞥꞧꞩɦɜɡɬɪʞʇʝꭓꞵꞷꞹꞻꞽꞿꟁꟃꞔʂᶎꟈꟊꟑꟗꟙꟶᎠᎡᎢᎣᎤᎥᎦᎧᎨᎩᎪᎫᎬ'
        'ᎭᎮᎯᎰᎱᎲᎳᎴᎵᎶᎷᎸᎹᎺᎻᎼᎽᎾᎿᏀᏁᏂᏃᏄᏅᏆᏇᏈᏉᏊᏋᏌᏍᏎᏏᏐᏑᏒᏓᏔᏕᏖᏗᏘᏙᏚᏛᏜᏝᏞᏟᏠᏡᏢᏣᏤᏥᏦᏧᏨᏩᏪᏫᏬᏭᏮᏯ𐐨𐐩𐐪𐐫𐐬𐐭𐐮𐐯𐐰𐐱𐐲𐐳𐐴𐐵𐐶𐐷𐐸𐐹𐐺𐐻𐐼𐐽𐐾'
        '𐐿𐑀𐑁𐑂𐑃𐑄𐑅𐑆𐑇𐑈𐑉𐑊𐑋𐑌𐑍𐑎𐑏𐓘𐓙𐓚𐓛𐓜𐓝𐓞𐓟𐓠𐓡𐓢𐓣𐓤𐓥𐓦𐓧𐓨𐓩𐓪𐓫𐓬𐓭𐓮𐓯𐓰𐓱𐓲𐓳𐓴𐓵𐓶𐓷𐓸𐓹𐓺𐓻𐖗𐖘𐖙𐖚𐖛𐖜𐖝𐖞𐖟𐖠𐖡𐖣𐖤𐖥𐖦𐖧𐖨𐖩𐖪𐖫𐖬𐖭𐖮𐖯𐖰𐖱𐖳𐖴𐖵𐖶𐖷𐖸𐖹𐖻𐖼𐳀𐳁'
        '𐳂𐳃𐳄𐳅𐳆𐳇𐳈𐳉𐳊𐳋𐳌𐳍𐳎𐳏𐳐𐳑𐳒𐳓𐳔𐳕𐳖𐳗𐳘𐳙𐳚𐳛𐳜𐳝𐳞𐳟𐳠𐳡𐳢𐳣𐳤𐳥𐳦𐳧𐳨𐳩𐳪𐳫𐳬𐳭𐳮𐳯𐳰𐳱𐳲𑣀𑣁𑣂𑣃𑣄𑣅𑣆𑣇𑣈𑣉𑣊𑣋𑣌𑣍𑣎𑣏𑣐𑣑𑣒𑣓𑣔𑣕𑣖𑣗𑣘𑣙𑣚𑣛𑣜𑣝𑣞𑣟𖹠𖹡𖹢𖹣𖹤𖹥𖹦𖹧𖹨'
        '𖹩𖹪𖹫𖹬𖹭𖹮𖹯𖹰𖹱𖹲𖹳𖹴𖹵𖹶𖹷𖹸𖹹𖹺𖹻𖹼𖹽𖹾𖹿𞤢𞤣𞤤𞤥𞤦𞤧𞤨𞤩𞤪𞤫𞤬𞤭𞤮𞤯𞤰𞤱𞤲𞤳𞤴𞤵𞤶𞤷𞤸𞤹𞤺𞤻𞤼𞤽𞤾𞤿𞥀𞥁𞥂𞥃'),
    'ẞ', 'ss')
    ELSE sync.latin_folded(value)
END;
COMMENT ON FUNCTION sync.case_folded IS
    'Unicode case folding with a table of its own, so that every server, whatever its locale and version, folds alike.';

CREATE FUNCTION sync.normal(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(value) = length(value)
    THEN nullif(btrim(regexp_replace(lower(value COLLATE "C"), '[\t-\r ]+', ' ', 'g')), '')
    ELSE nullif(btrim(regexp_replace(regexp_replace(
        normalize(sync.case_folded(normalize(value, NFKC)), NFKC),
        U&'[\00AD\061C\180E\200B-\200F\202A-\202E\2060-\206F\FEFF]', '', 'g'),
        U&'[\0009-\000D\0020\0085\00A0\1680\2028\2029]+', ' ', 'g')), '')
END;
COMMENT ON FUNCTION sync.normal IS
    'The form in which two texts are compared: NFKC, no case, no invisible characters, single spaces. NULL when nothing is left.';

CREATE FUNCTION sync.normal_phone(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN nullif(regexp_replace(normalize(value, NFKC), '[^0-9]', '', 'g'), '');
COMMENT ON FUNCTION sync.normal_phone IS 'The form in which two phone numbers are compared: their digits.';

-- ── refusing ────────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION sync.is_refusal(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN state !~ '^(08|25|40|42|53|57|58|XX|55P03)';
COMMENT ON FUNCTION sync.is_refusal IS
    'Whether an error says that a table does not take a row; else the server, the statement or a lock is at fault.';
