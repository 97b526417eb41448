"""Models behind an OpenAI-compatible endpoint: the one place that imports ``openai``.

    providers, settings, keys     who can be asked, where, with what key
    endpoint                      one question, one answer: retries, deadline, fallbacks
      chat, responses             the two ways of asking
      quirks                      what an endpoint does not take, remembered
      scanner                     the answer while it comes: progress, and loops that never end
      transcript, http            every request and answer, kept and played back
    contracts, emissions          the two conversations
      system, card, examples      what a model is told
      evidence                    what it is told when it was wrong
    model                         all of it behind the Model seam

What a model answers is data. It is checked, linked and run in the machine; none of it reaches a
shell, a path or a probe.
"""
