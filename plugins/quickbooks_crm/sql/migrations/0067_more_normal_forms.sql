-- What shows nothing at all is blank, whichever invisible characters it is made of (Default_Ignorable_Code_Point of Unicode):
-- also those that sync.normal leaves alone beside others, since they tell one emoji or ideograph from another. Of all other texts
-- the form is as before, so indexes stay right: what one has of such a text is found by no form any more.

CREATE OR REPLACE FUNCTION sync.normal(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value !~ (U&'[^\0020-\007E\00E0-\00F6\00F8-\00FFāăąćčďđēėęěğģīįķļłńņňőœŕřśşšţťūůűųźżž'
                           'ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]|  ')
    THEN nullif(btrim(lower(value COLLATE "C")), '')
    WHEN value !~ (U&'[^\0020-\007E\00C0-\00D6\00D8-\00DE\00E0-\00F6\00F8-\00FFāăąćčďđēėęěğģīįķļłńņňőœŕřśşšţťūůűųźżž'
                   'ĀĂĄĆČĎĐĒĖĘĚĞĢĪĮĶĻŁŃŅŇŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]|  ')
    THEN nullif(btrim(translate(lower(value COLLATE "C"),
        'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮĶĻŁŃŅŇŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽ',
        'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćčďđēėęěğģīįķļłńņňőœŕřśşšţťūůűųźżž')), '')
    WHEN octet_length(value) = length(value)
    THEN nullif(btrim(regexp_replace(lower(value COLLATE "C"), '[\t-\r ]+', ' ', 'g')), '')
    WHEN value ~ (U&'^[\0009-\000D\0020\0085\00A0\00AD\034F\061C\115F\1160\1680\17B4\17B5\180B-\180F\2000-\200F\2028-\202F'
                  '\205F-\206F\3000\3164\FE00-\FE0F\FEFF\FFA0\FFF0-\FFF8\+01BCA0-\+01BCA3\+01D173-\+01D17A\+0E0000-\+0E0FFF]+$')
    THEN NULL
    ELSE nullif(btrim(regexp_replace(regexp_replace(
        normalize(sync.case_folded(normalize(value, NFKC)), NFKC),
        U&'[\00AD\061C\180E\200B-\200F\202A-\202E\2060-\206F\FEFF]', '', 'g'),
        U&'[\0009-\000D\0020\0085\00A0\1680\2028\2029]+', ' ', 'g')), '')
END;

-- E-mail addresses and phone numbers get forms of their own, under new names, so that an index which somebody has made of the
-- former one stays right. That is dropped where nothing is made of it.

CREATE FUNCTION sync.listed_addresses(form text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT string_agg(DISTINCT btrim(address) COLLATE "C", ', ' ORDER BY btrim(address) COLLATE "C")
          FROM unnest(string_to_array(form, ',')) AS address
         WHERE btrim(address) <> '');

CREATE FUNCTION sync.normal_email(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(value) = length(value) AND strpos(value, ',') = 0
    THEN sync.normal(value)
    ELSE sync.listed_addresses(sync.normal(value))
END;
COMMENT ON FUNCTION sync.normal_email IS
    'The form in which two e-mail fields are compared: their addresses, in whatever order and however parted, each in its sync.normal form.';

CREATE FUNCTION sync.phone_in_words(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    said text := lower(normalize(value, NFKC) COLLATE "C");
    parts text[] := regexp_match(said, '^(.*[^a-z])(?:extension|extn|ext|x|#)[^0-9a-z]*([0-9]{1,9})[^0-9a-z]*$');
    number text := coalesce(regexp_replace(parts[1], '(?:extension|extn|ext|x|#)[^0-9a-z]*$', ''), said);
    digits text := regexp_replace(number, '[^0-9]+', '', 'g');
BEGIN
    RETURN CASE WHEN length(digits) BETWEEN 1 AND 9
                THEN translate(regexp_replace(number, '[^0-9a-z]+', '', 'g'), 'abcdefghijklmnopqrstuvwxyz', '22233344455566677778889999')
                ELSE nullif(digits, '') END || coalesce('x' || parts[2], '');
END $$;

CREATE FUNCTION sync.normal_phone_number(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value !~ '[^0-9 ()+./-]'
    THEN nullif(translate(value, ' ()+./-', ''), '')
    ELSE sync.phone_in_words(value)
END;
COMMENT ON FUNCTION sync.normal_phone_number IS
    'The form in which two phone numbers are compared: their digits, then x and the extension. Letters are the digits of their keys where fewer than ten digits are said; beside ten they are words that say nothing of the number.';

DO $$
BEGIN
    DROP FUNCTION sync.normal_phone(text);
EXCEPTION
    WHEN dependent_objects_still_exist THEN
        COMMENT ON FUNCTION sync.normal_phone IS 'Not used any more: sync.normal_phone_number is.';
END $$;
