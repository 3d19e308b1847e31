using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;

namespace Garden.KvCache;

/// <summary>What every generated KV plan requires before anything is posted. Called by generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class KvTransferValidation
{
    /// <summary>Requires ranks, layers, tokens, page lists and pools to fit each other and their regions.</summary>
    /// <exception cref="PlanException">They do not; the message names the values and what to change.</exception>
    /// <exception cref="ObjectDisposedException">A page list was disposed.</exception>
    public static void Require<TPlan>(in KvTransferArguments arguments, ref PlanValidator validator)
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        RequireRank("source", arguments.SourceRank, TPlan.SourceTensorParallel);
        RequireRank("destination", arguments.DestinationRank, TPlan.DestinationTensorParallel);
        if (arguments.FirstLayer < 0 || arguments.LayerCount < 0 || arguments.FirstLayer > TPlan.Layers - arguments.LayerCount)
            ThrowLayers(arguments.FirstLayer, arguments.LayerCount, TPlan.Layers);
        if (arguments.FirstToken < 0 || arguments.TokenCount < 0 || arguments.FirstToken > int.MaxValue - arguments.TokenCount)
            ThrowTokens(arguments.FirstToken, arguments.TokenCount);
        RequirePages("source", arguments.SourcePages, arguments.SourcePoolPages, TPlan.SourceTokensPerPage, in arguments);
        RequirePages("destination", arguments.DestinationPages, arguments.DestinationPoolPages, TPlan.DestinationTokensPerPage, in arguments);
        validator.RequireImmediate(arguments.Immediate);
        validator.RequireSource(arguments.Source, arguments.SourceOffset, TPlan.SourcePoolBytes(arguments.SourcePoolPages, arguments.FirstLayer + arguments.LayerCount));
        validator.RequireDestination(arguments.Destination, arguments.DestinationOffset, TPlan.DestinationPoolBytes(arguments.DestinationPoolPages, arguments.FirstLayer + arguments.LayerCount));
    }

    private static void RequireRank(string side, int rank, int ranks)
    {
        if ((uint)rank >= (uint)ranks)
            ThrowRank(side, rank, ranks);
    }

    private static void RequirePages(string side, PageListHandle pages, int poolPages, int tokensPerPage, in KvTransferArguments arguments)
    {
        if (poolPages < 0)
            ThrowPoolPages(side, poolPages);
        if (!pages.IsLive && pages.Count != 0)
            ThrowHelper.ThrowListDisposed();
        if (arguments.TokenCount == 0)
            return;
        int end = arguments.FirstToken + arguments.TokenCount;
        int needed = ((end - 1) / tokensPerPage) + 1;
        if (pages.Count < needed)
            ThrowShortList(side, pages.Count, needed, end, tokensPerPage);
        if (pages.Maximum < poolPages)
            return;
        // The list may name larger pages outside the range that moves.
        foreach (int page in pages.Span[(arguments.FirstToken / tokensPerPage)..needed])
        {
            if (page >= poolPages)
                ThrowPage(side, page, poolPages);
        }
    }

    [DoesNotReturn]
    private static void ThrowRank(string side, int rank, int ranks) =>
        throw new PlanException($"The {side} rank {rank} is outside [0, {ranks}), the {side} layout's tensor-parallel ranks; pass the rank within its group.");

    [DoesNotReturn]
    private static void ThrowLayers(int first, int count, int layers) =>
        throw new PlanException($"Layers [{first}, {first} + {count}) lie outside the layout's {layers} layers; correct FirstLayer or LayerCount.");

    [DoesNotReturn]
    private static void ThrowTokens(int first, int count) =>
        throw new PlanException($"Tokens [{first}, {first} + {count}) are not a range of 0 or more tokens that ends at or below {int.MaxValue}; correct FirstToken or TokenCount.");

    [DoesNotReturn]
    private static void ThrowPoolPages(string side, int poolPages) =>
        throw new PlanException($"The {side} pool has {poolPages} pages; pass the number of pages it was allocated with.");

    [DoesNotReturn]
    private static void ThrowShortList(string side, int count, int needed, int end, int tokensPerPage) =>
        throw new PlanException($"The {side} page list has {count} entries, but tokens up to {end} at {tokensPerPage} tokens a page need {needed}; list all pages from the one that holds token 0.");

    [DoesNotReturn]
    private static void ThrowPage(string side, int page, int poolPages) =>
        throw new PlanException($"The {side} page {page} is outside the pool of {poolPages} pages; correct the list or the pool's page count.");
}
