"""hkpd: the OpenPGP keyserver of the provider's own users, which every OpenPGP program finds by itself.

    bytes --RequestFeed--> Request --route--> Query --store--> bytes found? --decide--> Answer --> bytes

One store, two front doors: HKP on port 11371 (look-ups only), and HKP over TLS plus Web Key Directory behind the
provider's TLS front. Everything that is answered was rendered when the key was published; a look-up is a search and
bytes. Keys come in by the admin socket alone: their owners are known, and foreign keys are not stored.

Reading order: protocol/requests (HTTP), protocol/lookup (HKP), protocol/wkd (Web Key Directory), protocol/answers,
decide, store, publish, server, main.

HKP: draft-ietf-openpgp-hkp; Web Key Directory: draft-koch-openpgp-webkey-service.
"""
