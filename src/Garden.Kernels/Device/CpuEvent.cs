using System.Diagnostics;

namespace Garden.Kernels;

/// <summary>An event of the CPU accelerator: it has happened when it was recorded.</summary>
internal sealed class CpuEvent(bool timing) : DeviceEvent
{
    private long _at = Stopwatch.GetTimestamp();

    public override bool HasHappened => true;

    public static CpuEvent Of(DeviceEvent of) =>
        of as CpuEvent ?? throw new ArgumentException("The event belongs to a CUDA device; use one that the CPU accelerator created.", nameof(of));

    public void Happen() => _at = Stopwatch.GetTimestamp();

    public override void Synchronize()
    {
    }

    public override TimeSpan Since(DeviceEvent earlier)
    {
        CpuEvent from = Of(earlier);
        return timing && from.HasTiming
            ? Stopwatch.GetElapsedTime(from._at, _at)
            : throw new InvalidOperationException("An event without timing measures nothing; create it with timing: true.");
    }

    protected override void Dispose(bool disposing)
    {
    }

    private bool HasTiming => timing;
}
