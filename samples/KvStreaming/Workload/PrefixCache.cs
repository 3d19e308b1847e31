using Garden.KvCache;

namespace KvStreaming;

/// <summary>
/// The decoder's resident prompt blocks by id, the least recently used first to go. A block that a running request builds
/// on is pinned. Thread-safe.
/// </summary>
internal sealed class PrefixCache
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, LinkedListNode<ResidentBlock>> _blocks = [];
    private readonly LinkedList<ResidentBlock> _byUse = new();

    /// <summary>The longest resident prefix of a prompt, pinned until <see cref="Unpin"/>.</summary>
    public List<ResidentBlock> Match(PromptRequest request)
    {
        var found = new List<ResidentBlock>();
        lock (_lock)
        {
            for (int i = 0; i < request.Blocks.Length; i++)
            {
                if (!_blocks.TryGetValue(request.Blocks[i], out LinkedListNode<ResidentBlock>? node) || node.Value.Tokens != request.TokensOf(i))
                    break;
                node.Value.Pins++;
                found.Add(node.Value);
            }
        }

        return found;
    }

    public void Unpin(List<ResidentBlock> blocks)
    {
        lock (_lock)
        {
            // From the back, so that a prompt's first blocks, which others share, are the last to go.
            for (int i = blocks.Count - 1; i >= 0; i--)
            {
                blocks[i].Pins--;
                if (_blocks.TryGetValue(blocks[i].Id, out LinkedListNode<ResidentBlock>? node))
                {
                    _byUse.Remove(node);
                    _byUse.AddLast(node);
                }
            }
        }
    }

    /// <summary>Keeps a block; when its id came in twice at a time, the second one's pages go back.</summary>
    public void Add(ResidentBlock block)
    {
        lock (_lock)
        {
            if (!_blocks.ContainsKey(block.Id))
            {
                _blocks.Add(block.Id, _byUse.AddLast(block));
                return;
            }
        }

        block.Pages.Dispose();
    }

    /// <summary>Frees the pages of the block unused for longest; false when all are pinned or none is left.</summary>
    public bool TryEvict()
    {
        lock (_lock)
        {
            for (LinkedListNode<ResidentBlock>? node = _byUse.First; node is not null; node = node.Next)
            {
                if (node.Value.Pins > 0)
                    continue;
                _byUse.Remove(node);
                _blocks.Remove(node.Value.Id);
                node.Value.Pages.Dispose();
                return true;
            }
        }

        return false;
    }
}

/// <summary>A block of a prompt whose pages the decoder holds.</summary>
/// <param name="Id">The block's id in the trace.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Request">The request that brought it.</param>
/// <param name="Position">Position of its first page in the prompt.</param>
/// <param name="Pages">Its pages.</param>
internal sealed record ResidentBlock(long Id, int Tokens, int Request, int Position, KvPageLease Pages)
{
    /// <summary>Running requests that build on it.</summary>
    public int Pins { get; set; }
}
