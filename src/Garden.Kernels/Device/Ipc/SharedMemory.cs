using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>
/// Host memory that other processes of the same user and PID namespace can map: a memfd, reached through its owner's descriptor
/// table. It has no name in any file system, so nothing is left behind when its owner is killed.
/// </summary>
internal sealed unsafe class SharedMemory : SafeHandle
{
    private readonly int _descriptor;

    private SharedMemory(nint address, long length, int descriptor, SharedMemoryName name)
        : base(0, ownsHandle: true)
    {
        SetHandle(address);
        _descriptor = descriptor;
        Length = length;
        Name = name;
    }

    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>Where others find it.</summary>
    public SharedMemoryName Name { get; }

    public long Length { get; }

    /// <summary>The first byte in this process.</summary>
    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (byte*)handle;
        }
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>New memory, zeroed.</summary>
    /// <exception cref="FabricException">The system gave none; the message has its reason.</exception>
    public static SharedMemory Create(long length)
    {
        ulong id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), start = ProcessIdentity.OwnStart;
        int descriptor = LibC.memfd_create(SharedMemoryName.FileOf(id), LibC.MFD_CLOEXEC);
        if (descriptor < 0)
            throw Refused($"memfd_create of {length} bytes");
        var name = new SharedMemoryName(Environment.ProcessId, start, descriptor, id);
        if (LibC.ftruncate(descriptor, length) == 0)
            return Map(descriptor, length, name);
        FabricException refused = Refused($"ftruncate to {length} bytes");
        _ = LibC.close(descriptor);
        throw refused;
    }

    /// <summary>Maps what another process (or this one) has; null when its owner has let go of it or has ended, for sure.</summary>
    /// <exception cref="FabricException">The system refused, and the owner may well have it still; the message has the reason.</exception>
    public static SharedMemory? Open(SharedMemoryName name, long length)
    {
        string path = $"/proc/{name.Process.ToString(CultureInfo.InvariantCulture)}/fd/{name.Descriptor.ToString(CultureInfo.InvariantCulture)}";
        int descriptor = LibC.open(path, LibC.O_RDWR | LibC.O_CLOEXEC);
        if (descriptor < 0)
        {
            FabricException refused = Refused($"opening {path}");
            if (refused.ProviderCode is LibC.ENOENT or LibC.ESRCH || IsIt(path, name) == false)
                return null;
            // A process that has ended, and that its parent has not waited for, shows its descriptors to nobody.
            using ProcessWatch? owner = ProcessWatch.TryOpen(name.Process, name.Start);
            return owner is null ? null : throw refused;
        }

        if (IsIt($"/proc/self/fd/{descriptor.ToString(CultureInfo.InvariantCulture)}", name) == true && LibC.lseek(descriptor, 0, LibC.SEEK_END) >= length)
            return Map(descriptor, length, name);
        _ = LibC.close(descriptor);
        return null;
    }

    protected override bool ReleaseHandle() => LibC.munmap(handle, (nuint)Length) == 0 & LibC.close(_descriptor) == 0;

    private static SharedMemory Map(int descriptor, long length, SharedMemoryName name)
    {
        nint address = LibC.mmap(0, (nuint)length, LibC.PROT_READ_WRITE, LibC.MAP_SHARED, descriptor, 0);
        if (address != -1)
            return new SharedMemory(address, length, descriptor, name);
        FabricException refused = Refused($"mmap of {length} bytes");
        _ = LibC.close(descriptor);
        throw refused;
    }

    /// <summary>Whether a descriptor is of this memory: numbers and process ids are used again, and the file's own name tells. Null when that cannot be seen; seeing it takes no descriptor.</summary>
    private static bool? IsIt(string path, SharedMemoryName name) =>
        new FileInfo(path).LinkTarget?.Contains(SharedMemoryName.FileOf(name.Id), StringComparison.Ordinal);

    private static FabricException Refused(string what) => LibC.Refused(what, "`ulimit -n`, at the memory that is left, and that both processes have one user");
}
