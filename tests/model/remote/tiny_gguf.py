"""Writes a language model of random weights, a few kilobytes, for a real server to load.

    python tiny_gguf.py FILE        # needs the gguf package

One token a character, ASCII alone, so that whatever it says under a JSON grammar is text.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

EMBEDDING, HEADS, FORWARD, CONTEXT = 32, 2, 64, 16384


def alphabet() -> list[str]:
    """The characters that stand for the bytes below 128 in a byte-level vocabulary (GPT-2's)."""
    shown = set(range(ord("!"), ord("~") + 1))
    letters, hidden = [], 0
    for byte in range(256):
        if byte in shown or 0xA1 <= byte <= 0xAC or byte >= 0xAE:
            letters.append(chr(byte))
        else:
            letters.append(chr(256 + hidden))
            hidden += 1
    return letters[:128]


def main(path: str) -> None:
    tokens = [*alphabet(), "<|im_start|>", "<|im_end|>"]
    kinds = [gguf.TokenType.NORMAL] * 128 + [gguf.TokenType.CONTROL] * 2
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{tokens[ord('t')]} {tokens[ord('h')]}"])
    writer.add_bos_token_id(128)
    writer.add_eos_token_id(129)
    random = np.random.default_rng(1)

    def tensor(name: str, *shape: int, scale: float = 0.3) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * scale).astype(np.float32))

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(EMBEDDING, dtype=np.float32))

    tensor("token_embd.weight", len(tokens), EMBEDDING)
    tensor("output.weight", len(tokens), EMBEDDING)
    ones("output_norm.weight")
    ones("blk.0.attn_norm.weight")
    ones("blk.0.ffn_norm.weight")
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        tensor(f"blk.0.{part}.weight", EMBEDDING, EMBEDDING)
    tensor("blk.0.ffn_gate.weight", FORWARD, EMBEDDING)
    tensor("blk.0.ffn_up.weight", FORWARD, EMBEDDING)
    tensor("blk.0.ffn_down.weight", EMBEDDING, FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1])
