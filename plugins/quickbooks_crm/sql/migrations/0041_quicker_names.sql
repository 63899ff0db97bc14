-- The same normal form as before, sooner: names with accents on capital letters, and Vietnamese ones, do not need the long way.

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
    ELSE nullif(btrim(regexp_replace(regexp_replace(
        normalize(sync.case_folded(normalize(value, NFKC)), NFKC),
        U&'[\00AD\061C\180E\200B-\200F\202A-\202E\2060-\206F\FEFF]', '', 'g'),
        U&'[\0009-\000D\0020\0085\00A0\1680\2028\2029]+', ' ', 'g')), '')
END;
