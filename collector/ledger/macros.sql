-- Small words that the mapping and costing steps share. All of them are pure.

-- Text as a whole number (counts above 10^12 are refused: no log has them, and sums must not overflow), NULL where it is none; a fraction of zero is allowed ("812.0", as Struct numbers print).
CREATE OR REPLACE TEMP MACRO whole(x) AS TRY_CAST(x AS BIGINT);
-- Whether text is there and no whole number; `n` is whole(x), for who has it at hand: a cast is dear.
CREATE OR REPLACE TEMP MACRO counts_nothing(x, n) AS
    x IS NOT NULL AND (
        n IS NULL OR n NOT BETWEEN 0 AND 1000000000000 OR (contains(x, '.') AND TRY_CAST(x AS DOUBLE) <> n)
    );
CREATE OR REPLACE TEMP MACRO is_no_count(x) AS counts_nothing(x, whole(x));

-- Whether what was asked for as text is a JSON object or list.
CREATE OR REPLACE TEMP MACRO is_no_text(x) AS ascii(x) IN (ascii('{'), ascii('['));

-- Text as microseconds since 1970, NULL where it is no instant between 2000 and 2100. The look at the text comes
-- first: it is cheap, and it keeps 'infinity' and the years that no log has away from the cast.
CREATE OR REPLACE TEMP MACRO instant_us(x) AS
    CASE WHEN x >= '2000' AND x < '2100' AND x[5] = '-' THEN epoch_us(TRY_CAST(x AS TIMESTAMPTZ)) END;

-- Seconds ("12.3s", "12.3" or a number) as microseconds; a double tells them apart until the year 2200.
CREATE OR REPLACE TEMP MACRO seconds_us(x) AS TRY_CAST(round(TRY_CAST(rtrim(x, 's') AS DOUBLE) * 1000000) AS BIGINT);

-- A share of `amount`: amount x part / whole, rounded half to even. In 64 bits where the product has room there, a
-- double tells: the engine takes 25 times as long to divide 128 bits.
CREATE OR REPLACE TEMP MACRO share_in(amount, part, of_whole) AS
    amount * part // of_whole
    + CASE
        WHEN 2 * (amount * part % of_whole) > of_whole THEN 1
        WHEN 2 * (amount * part % of_whole) = of_whole THEN amount * part // of_whole % 2
        ELSE 0
    END;
CREATE OR REPLACE TEMP MACRO has_room(x) AS x BETWEEN -4000000000000000000 AND 4000000000000000000;
CREATE OR REPLACE TEMP MACRO share_of(amount, part, of_whole) AS
    CASE
        WHEN has_room(amount) AND has_room(part) AND has_room(of_whole) AND abs(amount::DOUBLE * part::DOUBLE) < 9e18
        THEN share_in(amount::BIGINT, part::BIGINT, of_whole::BIGINT)::HUGEINT
        ELSE share_in(amount::HUGEINT, part::HUGEINT, of_whole::HUGEINT)
    END;

-- The same, rounded down, in 128 bits. What a double makes of it is one off at most: the exact product tells.
CREATE OR REPLACE TEMP MACRO near_quotient(amount, part, of_whole) AS
    floor(amount::DOUBLE * part::DOUBLE / of_whole::DOUBLE)::BIGINT::HUGEINT;
CREATE OR REPLACE TEMP MACRO over_quotient(amount, part, of_whole) AS
    amount::HUGEINT * part::HUGEINT - near_quotient(amount, part, of_whole) * of_whole::HUGEINT;
CREATE OR REPLACE TEMP MACRO quotient_of(amount, part, of_whole) AS
    CASE
        WHEN amount >= 0 AND part >= 0 AND of_whole > 0 AND amount::DOUBLE * part::DOUBLE / of_whole::DOUBLE < 1e15
        THEN near_quotient(amount, part, of_whole) + CASE
            WHEN over_quotient(amount, part, of_whole) < 0 THEN -1
            WHEN over_quotient(amount, part, of_whole) >= of_whole THEN 1
            ELSE 0
        END
        ELSE (amount::HUGEINT * part::HUGEINT) // of_whole::HUGEINT
    END;

-- Decimal text of whole units as nano-units, half to even (the engine's own cast rounds half up).
CREATE OR REPLACE TEMP MACRO nano_exact(d) AS
    CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)
    - CASE
        WHEN abs(CAST(CAST(d AS DECIMAL(38, 9)) AS DECIMAL(38, 18)) - d) = 0.000000000500000000
            AND CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT) % 2 <> 0
        THEN sign(d)::HUGEINT
        ELSE 0
    END;
CREATE OR REPLACE TEMP MACRO nano(x) AS nano_exact(TRY_CAST(x AS DECIMAL(38, 18)));

-- What a record is known again by: a hash of its key (contract, section 5). A proxy's line has its end for an event.
CREATE OR REPLACE TEMP MACRO call_key(call_id, event, ended_at_us) AS
    hash(call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END);
CREATE OR REPLACE TEMP MACRO completion_key(account, completion_id) AS hash(account, completion_id);
CREATE OR REPLACE TEMP MACRO entry_key(log_name, insert_id, at_us) AS
    CASE WHEN insert_id IS NOT NULL THEN hash(log_name, insert_id, at_us) END;

-- What two readings of one key have to agree on: a hash of all that a row tells.
CREATE OR REPLACE TEMP MACRO call_content(told) AS
    hash(told.at_us, told.started_at_us, told.service, told.provider, told.account, told.model, told.operation,
        told.stream, told.request_id, told.received_request_id, told.trace_id, told.span_id, told.response_id,
        told.retry_of, told.process, told.input_tokens, told.max_output_tokens, told.request_bytes, told.outcome,
        told.reason, told.status_code, told.bytes_received, told.output_tokens_received, told.first_byte_at_us,
        told.upstream_bytes);
CREATE OR REPLACE TEMP MACRO completion_content(told) AS
    hash(told.completion_id, told.account, told.request_id, told.trace_id, told.span_id, told.response_id, told.model,
        told.stream, told.status, told.received_at_us, told.first_byte_at_us, told.finished_at_us, told.input_tokens,
        told.cached_input_tokens, told.output_tokens, told.thinking_tokens, told.images, told.price_class);
