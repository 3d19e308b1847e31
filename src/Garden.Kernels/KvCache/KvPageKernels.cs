using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>The copies of one layout, loaded on one device. Its constants are constants in their code. Calls allocate nothing on a CUDA device.</summary>
/// <typeparam name="TLayout">A struct with <see cref="KvPageLayoutAttribute"/>.</typeparam>
public sealed class KvPageKernels<TLayout> : IDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    private readonly CopyKernels<KvGather<TLayout>, KvGatherArgs> _gather;
    private readonly CopyKernels<KvScatter<TLayout>, KvGatherArgs> _scatter;
    private readonly CopyKernels<KvPageCopyMap<TLayout>, KvPageCopyArgs> _copy;

    /// <summary>Compiles and loads the copies.</summary>
    /// <exception cref="KernelCompilationException">They could not be compiled.</exception>
    public KvPageKernels(KernelDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        int granule = KvPlaneGeometry<TLayout>.Granule;
        _gather = new(device, granule);
        _scatter = new(device, granule);
        _copy = new(device, TLayout.BytesPerPlane);
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>What a thread of the gathering kernel needs.</summary>
    public KernelResources Resources => _gather.Resources;

    /// <summary>Bytes that <see cref="Gather"/> writes and <see cref="Scatter"/> reads.</summary>
    public static long ContiguousBytes(int tokens, int layers) => (long)tokens * layers * TLayout.BytesPerToken;

    /// <summary>
    /// Copies tokens [0, <paramref name="tokens"/>) of the listed pages of layers [<paramref name="firstLayer"/>, +
    /// <paramref name="layerCount"/>) to contiguous memory in the order [layer][plane][token][head][element].
    /// </summary>
    /// <exception cref="PlanException">A range, a page or an element size does not fit; the message has the values.</exception>
    /// <exception cref="ArgumentException">Something is on another device.</exception>
    public void Gather(DeviceStream stream, KvDevicePool pool, DevicePageList pages, int firstLayer, int layerCount, int tokens, DeviceBuffer destination, long offset = 0)
    {
        if (Prepare(pool, pages, firstLayer, layerCount, tokens, destination, offset, "destination", _gather.AccessBytes, out KvGatherArgs arguments, out int access))
            _gather.Launch(stream, arguments.Rows, (long)arguments.Vectors * access, access, in arguments);
    }

    /// <summary>The inverse of <see cref="Gather"/>.</summary>
    /// <exception cref="PlanException">A range, a page or an element size does not fit; the message has the values.</exception>
    /// <exception cref="ArgumentException">Something is on another device.</exception>
    public void Scatter(DeviceStream stream, DeviceBuffer source, long offset, KvDevicePool pool, DevicePageList pages, int firstLayer, int layerCount, int tokens)
    {
        if (Prepare(pool, pages, firstLayer, layerCount, tokens, source, offset, "source", _scatter.AccessBytes, out KvGatherArgs arguments, out int access))
            _scatter.Launch(stream, arguments.Rows, (long)arguments.Vectors * access, access, in arguments);
    }

    /// <summary>Copies whole pages to other pages, list against list, of the same pool or of another. No page may be on both sides.</summary>
    /// <exception cref="PlanException">The lists differ in length, or a range, a page or an element size does not fit; the message has the values.</exception>
    /// <exception cref="ArgumentException">Something is on another device.</exception>
    public void CopyPages(DeviceStream stream, KvDevicePool source, DevicePageList sourcePages, KvDevicePool destination, DevicePageList destinationPages, int firstLayer, int layerCount)
    {
        ArgumentNullException.ThrowIfNull(sourcePages);
        ArgumentNullException.ThrowIfNull(destinationPages);
        KvDeviceValidation.RequireLayers(firstLayer, layerCount, TLayout.Layers);
        source.Require<TLayout>(Device, nameof(source), firstLayer + layerCount);
        destination.Require<TLayout>(Device, nameof(destination), firstLayer + layerCount);
        if (sourcePages.Count != destinationPages.Count)
            throw new PlanException($"The source page list has {sourcePages.Count} entries and the destination page list {destinationPages.Count}; the lists must have equal lengths.");
        KvDeviceValidation.RequirePages(sourcePages, Device, nameof(source), source.Pages, 0);
        KvDeviceValidation.RequirePages(destinationPages, Device, nameof(destination), destination.Pages, 0);
        if (layerCount == 0 || sourcePages.Count == 0)
            return;
        int access = _copy.AccessBytes(source.Address, destination.Address);
        long rowBytes = sourcePages.Count * TLayout.BytesPerPlane;
        var arguments = new KvPageCopyArgs
        {
            SourcePool = (ulong)source.Address,
            DestinationPool = (ulong)destination.Address,
            SourcePages = sourcePages.Address,
            DestinationPages = destinationPages.Address,
            SourcePoolPages = source.Pages,
            DestinationPoolPages = destination.Pages,
            FirstLayer = firstLayer,
            Rows = layerCount * TLayout.PlaneCount,
            Vectors = KvDeviceValidation.RequireVectors(rowBytes, access),
        };
        _copy.Launch(stream, arguments.Rows, rowBytes, access, in arguments);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gather.Dispose();
        _scatter.Dispose();
        _copy.Dispose();
    }

    /// <summary>False when there is nothing to copy.</summary>
    private bool Prepare(
        KvDevicePool pool, DevicePageList pages, int firstLayer, int layerCount, int tokens, DeviceBuffer contiguous, long offset, string side,
        Func<nint, nint, int> accessBytes, out KvGatherArgs arguments, out int access)
    {
        ArgumentNullException.ThrowIfNull(contiguous);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        KvDeviceValidation.RequireLayers(firstLayer, layerCount, TLayout.Layers);
        pool.Require<TLayout>(Device, nameof(pool), firstLayer + layerCount);
        KvDeviceValidation.RequirePages(pages, Device, nameof(pool), pool.Pages, KvDeviceValidation.PagesOf(tokens, TLayout.TokensPerPage));
        KvDeviceValidation.RequireReach(contiguous, Device, side);
        KvDeviceValidation.RequireElements<TLayout>(contiguous, side);
        long needed = ContiguousBytes(tokens, layerCount);
        if (offset < 0 || offset > contiguous.Length - needed)
            throw new PlanException($"{tokens} tokens of {layerCount} layers are {needed} bytes at offset {offset}, but the {side} buffer has {contiguous.Length}; correct the offset or the length.");
        nint address = contiguous.Address + (nint)offset;
        access = accessBytes(pool.Address, address);
        arguments = new KvGatherArgs
        {
            Pool = (ulong)pool.Address,
            Contiguous = (ulong)address,
            Pages = pages.Address,
            PoolPages = pool.Pages,
            FirstLayer = firstLayer,
            Rows = layerCount * TLayout.PlaneCount,
            Vectors = KvDeviceValidation.RequireVectors((long)tokens * KvPlaneGeometry<TLayout>.TokenBytes, access),
        };
        return needed != 0;
    }
}
