-- How instants and amounts look outside: exact text out of whole numbers, NULL where nothing is known.

-- Microseconds since 1970 as RFC 3339 in UTC with microseconds.
CREATE OR REPLACE TEMP MACRO instant_text(at_us) AS
    strftime(make_timestamp(at_us::BIGINT), '%Y-%m-%dT%H:%M:%S.%fZ');

-- A count of parts, of which `digits` zeros make a whole, as the shortest decimal text: 1500000000 at 9 is "1.5".
-- It divides in the type that it is given: 128 bits only where the column has them, because they are slow.
CREATE OR REPLACE TEMP MACRO decimal_text(parts, whole, digits) AS
    CASE WHEN parts < 0 THEN '-' ELSE '' END
    || (abs(parts) // whole)::VARCHAR
    || CASE
        WHEN parts % whole = 0 THEN ''
        ELSE '.' || rtrim(lpad((abs(parts) % whole)::VARCHAR, digits, '0'), '0')
    END;
CREATE OR REPLACE TEMP MACRO amount_text(nano) AS decimal_text(nano, 1000000000, 9);
CREATE OR REPLACE TEMP MACRO usage_text(micro) AS decimal_text(micro, 1000000, 6);

-- Text from a log for a cell that people open in a spreadsheet, which would take it for a formula (OWASP: CSV injection).
CREATE OR REPLACE TEMP MACRO cell_text(told) AS
    CASE WHEN regexp_matches(told, '^[=+@\t\r-]') THEN '''' || told ELSE told END;
