using Spectre.Console;

namespace KvStreaming;

/// <summary>A progress bar on a terminal, a plain line every tenth otherwise.</summary>
internal static class ProgressReport
{
    public static Task<T> RunAsync<T>(string title, int total, Func<Action<int>, Task<T>> work) =>
        Console.IsOutputRedirected ? RunPlainAsync(title, total, work) : RunBarAsync(title, total, work);

    private static async Task<T> RunPlainAsync<T>(string title, int total, Func<Action<int>, Task<T>> work)
    {
        Console.WriteLine($"{title}: {total} requests");
        return await work(done =>
        {
            if (done * 10 / total != (done - 1) * 10 / total)
                Console.WriteLine($"{title}: {done} of {total} requests");
        });
    }

    private static async Task<T> RunBarAsync<T>(string title, int total, Func<Action<int>, Task<T>> work) =>
        await AnsiConsole.Progress().StartAsync(async context =>
        {
            ProgressTask bar = context.AddTask(title, maxValue: total);
            return await work(done => bar.Value = done);
        });
}
