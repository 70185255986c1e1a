"""A step of PyTorch as a CUDA graph."""
import torch


def captured(step, before=lambda: None):
    """The replay of `step`, recorded after warm-up runs on a stream of their own. `before`: what goes ahead of each run and
    of the recording without being recorded."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            before()
            step()
    torch.cuda.current_stream().wait_stream(stream)
    before()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
