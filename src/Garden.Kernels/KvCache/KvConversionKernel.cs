using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>
/// The conversion between the two layouts of a <see cref="KvTransferAttribute{TFrom, TTo}"/>, loaded on one device: transposes and
/// reshards pages on the GPU, so that the wire sees long writes. Calls allocate nothing on a CUDA device.
/// </summary>
/// <typeparam name="TFrom">A struct with <see cref="KvPageLayoutAttribute"/>: what is read.</typeparam>
/// <typeparam name="TTo">A struct with <see cref="KvPageLayoutAttribute"/>: what is written.</typeparam>
public sealed class KvConversionKernel<TFrom, TTo> : IDisposable
    where TFrom : unmanaged, IKvPageLayout<TFrom>
    where TTo : unmanaged, IKvPageLayout<TTo>
{
    private readonly CopyKernels<KvConvert<TFrom, TTo>, KvConvertArgs> _convert;

    /// <summary>Compiles and loads the conversion.</summary>
    /// <exception cref="PlanException">The layouts are not of the same model; the message names what differs.</exception>
    /// <exception cref="KernelCompilationException">It could not be compiled.</exception>
    public KvConversionKernel(KernelDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Same("elements", TFrom.Element, TTo.Element);
        Same("layers", TFrom.Layers, TTo.Layers);
        Same("KV heads", TFrom.KvHeads, TTo.KvHeads);
        Same("elements a head", TFrom.HeadSize, TTo.HeadSize);
        Same("planes", TFrom.PlaneCount, TTo.PlaneCount);
        Device = device;
        _convert = new(device, KvPlaneGeometry<TFrom>.RowBytes);
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>What a thread of the kernel needs.</summary>
    public KernelResources Resources => _convert.Resources;

    /// <summary>Copies the tokens, layers and heads that two ranks share from pages of one layout to pages of the other.</summary>
    /// <param name="stream">Where to put the copy.</param>
    /// <param name="source">The pool of the rank that is read.</param>
    /// <param name="sourcePages">Its pages, token 0 on the first.</param>
    /// <param name="destination">The pool of the rank that is written.</param>
    /// <param name="destinationPages">Its pages, token 0 on the first.</param>
    /// <param name="range">What to copy.</param>
    /// <returns>Bytes that are copied; 0 when the ranks share no heads.</returns>
    /// <exception cref="PlanException">A range, a page or an element size does not fit; the message has the values.</exception>
    /// <exception cref="ArgumentException">Something is on another device, or a rank is outside its group.</exception>
    public long Convert(DeviceStream stream, KvDevicePool source, DevicePageList sourcePages, KvDevicePool destination, DevicePageList destinationPages, in KvConversionRange range)
    {
        KvDeviceValidation.RequireLayers(range.FirstLayer, range.LayerCount, TFrom.Layers);
        if (range.FirstToken < 0 || range.TokenCount < 0 || range.FirstToken > int.MaxValue - range.TokenCount)
            throw new PlanException($"Tokens [{range.FirstToken}, {range.FirstToken} + {range.TokenCount}) are not a range of 0 or more tokens that ends at or below {int.MaxValue}.");
        source.Require<TFrom>(Device, nameof(source), range.FirstLayer + range.LayerCount);
        destination.Require<TTo>(Device, nameof(destination), range.FirstLayer + range.LayerCount);
        long end = range.TokenCount == 0 ? 0 : (long)range.FirstToken + range.TokenCount;
        KvDeviceValidation.RequirePages(sourcePages, Device, nameof(source), source.Pages, KvDeviceValidation.PagesOf(end, TFrom.TokensPerPage));
        KvDeviceValidation.RequirePages(destinationPages, Device, nameof(destination), destination.Pages, KvDeviceValidation.PagesOf(end, TTo.TokensPerPage));
        KvHeadOverlap overlap = KvHeadOverlap.Of(TFrom.KvHeads, TFrom.TensorParallel, TTo.TensorParallel, range.SourceRank, range.DestinationRank);
        int blocks = range.LayerCount * TFrom.PlaneCount;
        long bytes = (long)blocks * range.TokenCount * overlap.Count * KvPlaneGeometry<TFrom>.RowBytes;
        if (bytes == 0)
            return 0;
        bool headRows = !KvPlaneGeometry<TTo>.IsTokenMajor;
        int rows = headRows ? blocks * overlap.Count : blocks;
        int access = _convert.AccessBytes(source.Address, destination.Address);
        var arguments = new KvConvertArgs
        {
            SourcePool = (ulong)source.Address,
            DestinationPool = (ulong)destination.Address,
            SourcePages = sourcePages.Address,
            DestinationPages = destinationPages.Address,
            SourcePoolPages = source.Pages,
            DestinationPoolPages = destination.Pages,
            FirstLayer = range.FirstLayer,
            FirstToken = (uint)range.FirstToken,
            Heads = (uint)overlap.Count,
            SourceHead = (uint)overlap.SourceFirst,
            DestinationHead = (uint)overlap.DestinationFirst,
            Rows = rows,
            Vectors = KvDeviceValidation.RequireVectors(bytes / rows, access),
        };
        _convert.Launch(stream, rows, bytes / rows, access, in arguments);
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose() => _convert.Dispose();

    private static void Same<T>(string what, T from, T to)
    {
        if (!EqualityComparer<T>.Default.Equals(from, to))
            throw new PlanException($"{typeof(TFrom).Name} and {typeof(TTo).Name} are not layouts of one model: {what} are {from} and {to}; a conversion changes page size, tensor-parallel degree and order only.");
    }
}
