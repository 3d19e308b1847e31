using System.Diagnostics;
using System.Runtime;

namespace Garden.Perf;

/// <summary>Tells when the optimised code runs: the compiler has been silent for a while, or is given up on. Asked between calls of what is to be measured.</summary>
internal struct WarmUp()
{
    /// <summary>A hot method is compiled 0.1 s after the last new one, where there is one processor 1 s, and again when it has been measured.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(Environment.ProcessorCount == 1 ? 2.5 : 0.5);

    private static readonly TimeSpan s_most = TimeSpan.FromSeconds(20);

    private readonly long _began = Stopwatch.GetTimestamp();
    private long _compiled = Stopwatch.GetTimestamp();
    private long _methods = JitInfo.GetCompiledMethodCount();

    public bool IsOver()
    {
        if (JitInfo.GetCompiledMethodCount() is var methods && methods != _methods)
        {
            _methods = methods;
            _compiled = Stopwatch.GetTimestamp();
        }

        return Stopwatch.GetElapsedTime(_compiled) >= s_silence || Stopwatch.GetElapsedTime(_began) >= s_most;
    }
}
