using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>How payload and scales of dispatched rows are made from the activations.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
public interface IDispatchRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>Bytes of an input row.</summary>
    static abstract int InputRowBytes { get; }

    /// <summary>Loads the pieces of a token that this thread writes first, before it is known where to.</summary>
    static abstract EarlyPieces LoadEarly(ExpertKernelArgs arguments, int token);

    /// <summary>
    /// Writes <paramref name="count"/> tokens from <paramref name="begin"/> on. All threads of a group call it. Shared memory has [token][TopK]
    /// addresses of rows at <paramref name="destinations"/>, two words each, 0 for none, and [token] how many to look at, at <paramref name="counts"/>.
    /// A <paramref name="team"/> shares a token. With <paramref name="isEarly"/>, it is one token and the team the group, and <paramref name="early"/> is what the thread has of it.
    /// </summary>
    static abstract void Write(ExpertKernelArgs arguments, ArrayView<int> shared, int destinations, int counts, int begin, int count, RowTeam team, bool isEarly, EarlyPieces early);
}
