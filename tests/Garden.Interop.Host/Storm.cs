using System.Diagnostics;

namespace Garden.Interop.Host;

/// <summary>Many endpoints that say hello to one engine at once, all driven by one thread.</summary>
internal static class Storm
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(100);

    /// <summary>Prints "opened", waits for a line, lets all say hello, prints "accepted N in S s", and drives them until the input ends.</summary>
    public static void Run(NetAddress engine, int count, Task orphaned)
    {
        var endpoints = new List<BareEndpoint>();
        for (int i = 0; i < count; i++)
            endpoints.Add(new BareEndpoint(i, $"127.0.{1 + (i / 200)}.{1 + (i % 200)}"));
        Console.WriteLine($"opened {count}");
        long started = Stopwatch.GetTimestamp();
        endpoints.ForEach(endpoint => endpoint.SayHello(engine.Nics[0]));
        while (endpoints.Exists(static endpoint => endpoint.Acceptances == 0))
        {
            if (Stopwatch.GetElapsedTime(started) > s_deadline)
                throw new TimeoutException($"{endpoints.Count(static endpoint => endpoint.Acceptances == 0)} of {count} endpoints were not accepted.");
            endpoints.ForEach(static endpoint => endpoint.Poll());
        }

        Console.WriteLine($"accepted {endpoints.Count(static endpoint => endpoint is { Acceptances: 1, Others: 0 })} in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.00} s");
        using var process = Process.GetCurrentProcess();
        Console.WriteLine($"holds {(double)Directory.GetFiles("/proc/self/fd").Length / count:0.0} descriptors and {process.WorkingSet64 / count / 1024} KiB an endpoint, {process.Threads.Count} threads");
        while (!orphaned.IsCompleted)
        {
            endpoints.ForEach(static endpoint => endpoint.Poll());
            orphaned.Wait(20);
        }

        endpoints.ForEach(static endpoint => endpoint.Dispose());
    }
}
