"""Models: what a spec names, who answers for it, and how it is asked. Imports no vendor's SDK.

The modules here are about names, keys, prices and secrets, and what the packages share; ``registry`` makes of a named
model what can be asked.

- ``http``: requests to servers, whatever their protocol: transports, retries, what statuses and bodies mean; and what
  the servers of a session have in common
- ``chat``, ``anthropic``, ``responses``: the three protocols, each with its backend and its wire format
- ``hf``: models in this process, by transformers
- ``local``, ``vllm``: servers that a session runs itself, for the embedded model and by vLLM
- ``application``: the case's model in place of a vendor's server, for applications under test
"""
