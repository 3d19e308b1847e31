using System.Buffers.Binary;
using System.Diagnostics;

namespace KvStreaming;

/// <summary>A moment by the monotonic clock, and the boot that it counts from: all processes of a host have the same.</summary>
internal readonly record struct ClockStamp(ulong Boot, long Timestamp)
{
    public const int Length = 2 * sizeof(ulong);

    private static readonly ulong s_boot = OperatingSystem.IsLinux()
        ? BinaryPrimitives.ReadUInt64LittleEndian(Guid.Parse(File.ReadAllText("/proc/sys/kernel/random/boot_id")).ToByteArray())
        : (ulong)Environment.ProcessId;

    public static ClockStamp Now => new(s_boot, Stopwatch.GetTimestamp());

    /// <summary>The time since then; null when another host's clock said it.</summary>
    public TimeSpan? Elapsed => Boot == s_boot ? Stopwatch.GetElapsedTime(Timestamp) : null;

    public static ClockStamp Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadInt64LittleEndian(bytes[sizeof(ulong)..]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Boot);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[sizeof(ulong)..], Timestamp);
    }
}
