"""The Kademlia DHT on streams: client, server, routing table upkeep and provider announcing."""
