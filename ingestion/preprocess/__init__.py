"""From bytes to clean columns: pure, without a database or a framework.

detect     what a file is: format, compression, encoding, delimiter, header, dates, decimal mark
packing    gzip, xz and zip, unpacked while they are read; bombs and traps are refused
reading    bytes of any compression and encoding → whole lines in UTF-8, memory flat
records    lines → strict CSV records; a broken one is a fault at its own line, the rest go on
jsonlines, spreadsheet, parquet   the other formats → texts by column
shape      how one file is to be read; files: that and a path → batches of rows, of any format
preview    the first rows as they will be stored, without the libraries of the workers
values     one text → number, moment, address, flag; worked out once per distinct text
countries, codes, titles   what shops write → what we keep
columns    records → columns held as (codes, distinct texts), so cleaning touches each text once
orders, customers, products, events   columns → clean rows, faults and findings, one kind a file
outliers   robust limits for quantities and prices
findings   per rule: how many rows, what was done, examples before and after

Read records, columns and orders first. Nothing here may import Django, DRF, Celery or psycopg2.
"""
