using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Garden.Kernels;
using Garden.KvCache;

namespace Garden.Samples;

/// <summary>A KV pool of the first layers of a model in device memory, registered with an engine, and a place for the prompt its kernels work on.</summary>
internal sealed class GpuKvPool<TLayout> : IAsyncDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    private readonly DeviceBuffer _memory;
    private readonly DeviceBuffer _prompt;
    private readonly BufferRegistration _registration;

    public GpuKvPool(KernelDevice device, TransferEngine engine, int pages, int layers)
    {
        Device = device;
        Pages = pages;
        Layers = layers;
        // Layer-major: the first layers lie together, the others need no memory.
        _memory = device.Allocate(TLayout.BytesPerPage * pages * layers);
        _prompt = device.Allocate(Unsafe.SizeOf<PromptHeader>() + ((long)pages * sizeof(int)));
        device.DefaultStream.Fill(_memory.Address, KvPattern.Poison, _memory.Length);
        device.DefaultStream.Synchronize();
        _registration = _memory.RegisterWith(engine);
    }

    public KernelDevice Device { get; }

    public int Pages { get; }

    public int Layers { get; }

    public MemoryRegion Region => _registration.Region;

    /// <summary>Arguments of a kernel over one layer of the prompt that was set last.</summary>
    public LayerArgs Arguments(int layer, int times = 1) => new()
    {
        Prompt = (ulong)_prompt.Address,
        Layer = (ulong)_memory.Address + (ulong)TLayout.PlaneOffset(Pages, layer, 0, 0),
        PageStride = Pages == 1 ? 0 : TLayout.PlaneOffset(Pages, layer, 1, 0) - TLayout.PlaneOffset(Pages, layer, 0, 0),
        PlaneStride = TLayout.PlaneCount == 1 ? 0 : TLayout.PlaneOffset(Pages, layer, 0, 1) - TLayout.PlaneOffset(Pages, layer, 0, 0),
        Planes = TLayout.PlaneCount,
        Words = (int)(TLayout.BytesPerPlane / sizeof(ulong)),
        Index = layer,
        Times = times,
    };

    /// <summary>A launch that fills the device, whatever the prompt's length.</summary>
    public LaunchShape Shape => Device is CpuDevice ? new LaunchShape(Device.Multiprocessors, Device.MaxThreadsPerGroup) : new LaunchShape(8 * Device.Multiprocessors, 256);

    /// <summary>Says which prompt the kernels launched from now on work on. None may be running.</summary>
    public void SetPrompt(int seed, int request, ReadOnlySpan<int> pages, nint tail = 0, int tailBytes = 0)
    {
        var header = new PromptHeader { Seed = seed, Request = request, Pages = pages.Length, Tail = (ulong)tail, TailWords = tailBytes / sizeof(ulong) };
        _prompt.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<PromptHeader>(in header)));
        _prompt.Write(MemoryMarshal.AsBytes(pages), Unsafe.SizeOf<PromptHeader>());
    }

    /// <summary>The bytes of one plane of one page, copied to the host.</summary>
    public byte[] Read(int layer, int page, int plane)
    {
        byte[] bytes = new byte[TLayout.BytesPerPlane];
        _memory.Read(bytes, TLayout.PlaneOffset(Pages, layer, page, plane));
        return bytes;
    }

    /// <summary>Flips a bit of one page.</summary>
    public void Corrupt(int layer, int page)
    {
        long at = TLayout.PlaneOffset(Pages, layer, page, 0) + 17;
        byte[] one = new byte[1];
        _memory.Read(one, at);
        one[0] ^= 0x40;
        _memory.Write(one, at);
    }

    public async ValueTask DisposeAsync()
    {
        await _registration.DisposeAsync();
        _memory.Dispose();
        _prompt.Dispose();
    }
}
