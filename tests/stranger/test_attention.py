def test_attention(assert_attention_close):
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    inputs = torch.randn(3, 1, 2, 20, 8, generator=torch.Generator().manual_seed(0))
    assert_attention_close(scaled_dot_product_attention(*inputs), *inputs)
