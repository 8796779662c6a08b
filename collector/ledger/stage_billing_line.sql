-- One row per line of the delivery, with its fate; kept in memory until enough are together for one commit.
INSERT INTO staged_billing_line BY NAME SELECT * FROM parsed
