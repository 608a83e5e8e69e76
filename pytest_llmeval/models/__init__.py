"""Models: parsing specs, finding keys and prices, and the backends that send requests. Imports no vendor's SDK.

The modules at this level deal with names, keys, prices and secrets, and with what the packages share; ``registry``
creates the backend of a named model.

- ``http``: requests to servers of any protocol: transports, retries, the meaning of statuses and bodies; also what the
  servers that a session runs have in common
- ``chat``, ``anthropic``, ``responses``: the three protocols, each with its backend and its wire format
- ``hf``: models run in this process by transformers
- ``local``, ``vllm``: servers that a session runs itself, for the embedded model and with vLLM
- ``application``: for applications under test, the case's model in place of a vendor's server
"""
