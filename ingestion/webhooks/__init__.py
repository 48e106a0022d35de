"""Webhooks in: a shop delivers, the delivery is durable before the answer, a worker stores it.

endpoints   addresses and their secrets, on and off
signatures  who may deliver: Standard Webhooks, Shopify, WooCommerce
door        one delivery: checked, kept raw, answered
said        one thing that a shop says about an order, refund, person or product
shopify, woocommerce   their payloads → what they say
things      the newest that was said about each thing, whatever came first
keeping     an order with its credit notes → tables, exactly as the newest says
storing     what a receipt says → tables
generic     rows by mapping → recipe → the cleaning and storing that files use
processing  receipts one by one: done, duplicate or quarantined with a reason
samples     deliveries to try an address with

`storing`, `generic` and `processing` load pandas and run in workers only.
"""
