"""The weekly cost report: one page for people, its PDF, its CSV, and how it is delivered once.

A connection to the ledger (as of whichever instant its reader chose) and a week come in; a document goes out
that is the same to the byte whenever the same knowledge is asked for. So everything here is read from what the
ledger keeps as versions and facts, never from what the next run will replace. It decides no money: every figure
is a sum that an .sql file names.
"""
