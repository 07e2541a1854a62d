"""Why one system is better than another: small analyses of the translations of a comparison.

    words.py, outputs.py, bootstrap.py    words of a text, translations by system, intervals
    pairs.py                              which pairs of systems are shown
    length_bands.py                       BLEU by source length
    word_frequency.py                     accuracy of rare and frequent words
    faults.py                             repetition, omission, wrong lengths
    extremes.py                           the sentences on which two systems differ most
    links.py, aligner.py                  word alignments: sets of links, and what finds them
    attention.py, forced_attention.py     attention between words; forcing it out of a model
    material.py                           texts of a comparison, and of the training
    aligned_outputs.py, attention_findings.py    both for all systems of a comparison
    joined.py, data_size.py               figures of a comparison by joined sentences, by data
    pareto.py                             quality beside cost
    explanations.py, explain.py           all of it as one file, and how that is made

What these find says where systems differ, not why they do: the report repeats that beside each.
"""
