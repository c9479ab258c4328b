"""The wire: topics, the relay that sends the ledger, and the broker of the demo. The only room that imports paho."""
