"""The conformance kit for alarm units that speak SCAIP by SIP MESSAGE, as deployed; no certification."""
