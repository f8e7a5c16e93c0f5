"""The Core API (control plane): one file per noun, over twisted.web; `core_site` in site.py is the way in.

Belongs here: who may ask for what, and what is answered. Does not: what nouns are (model/), keeping them (store/), or
anything of the gateway's own traffic.
"""
