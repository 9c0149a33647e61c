"""HL7 v2.6 messages of what was recorded, as text: for the sink that sends them and for the export that writes them."""
