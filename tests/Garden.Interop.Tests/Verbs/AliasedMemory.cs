using System.Runtime.InteropServices;

namespace Garden.Interop.Tests.Verbs;

/// <summary>A long range of addresses over 2 MiB of memory that it shows again and again.</summary>
internal sealed unsafe partial class AliasedMemory : IDisposable
{
    private const int FileBytes = 2 << 20;
    private const int ProtReadWrite = 3, MapShared = 1, MapPrivate = 2, MapFixed = 16, MapAnonymous = 32, MapNoReserve = 0x4000;
    private readonly nuint _mapped;

    public AliasedMemory(long length, int seed)
    {
        Length = length;
        _mapped = (nuint)((length + FileBytes - 1) / FileBytes * FileBytes);
        int file = memfd_create("aliased", 0);
        Assert.True(file >= 0 && ftruncate(file, FileBytes) == 0, $"memfd_create failed: {Marshal.GetLastPInvokeError()}");
        Address = mmap(0, _mapped, ProtReadWrite, MapPrivate | MapAnonymous | MapNoReserve, -1, 0);
        for (nuint offset = 0; offset < _mapped; offset += FileBytes)
            Assert.NotEqual(-1, mmap(Address + (nint)offset, FileBytes, ProtReadWrite, MapShared | MapFixed, file, 0));
        _ = close(file);
        // Safe: the first file's worth of the range.
        new Random(seed).NextBytes(new Span<byte>((void*)Address, FileBytes));
    }

    public nint Address { get; }

    public long Length { get; }

    // Safe: callers ask for less than the range has.
    public ReadOnlySpan<byte> LastBytes(int count) => new((void*)(Address + (nint)Length - count), count);

    public void Dispose() => _ = munmap(Address, _mapped);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(int file, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, nuint length);

    [LibraryImport("libc")]
    private static partial int close(int file);
}
