-- The draws of the generator, and how each log writes instants.
CREATE OR REPLACE TEMP MACRO unit(j, what) AS
    (hash(j, what, getvariable('seed')) >> 11)::DOUBLE / 9007199254740992;
CREATE OR REPLACE TEMP MACRO rfc3339(us) AS strftime(make_timestamp(us), '%Y-%m-%dT%H:%M:%S.%fZ');
CREATE OR REPLACE TEMP MACRO bill_instant(us) AS strftime(make_timestamp(us), '%Y-%m-%d %H:%M:%S UTC');
CREATE OR REPLACE TEMP MACRO seconds_text(us) AS
    (us // 1000000)::VARCHAR || '.' || lpad((us % 1000000 // 1000)::VARCHAR, 3, '0');
