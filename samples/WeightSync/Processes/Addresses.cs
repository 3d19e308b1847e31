using Garden;
using Garden.Samples;

namespace WeightSync;

/// <summary>Where ranks find each other: a file a rank in one directory.</summary>
internal static class Addresses
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    public static Task<IAsyncDisposable> PublishAsync(SampleOptions options, string name, TransferEngine engine) =>
        Rendezvous.PublishAsync(PlaceOf(options, name), $"{engine.Address}");

    public static async Task<Peer> ConnectAsync(SampleOptions options, string name, TransferEngine engine, CancellationToken cancellationToken) =>
        await engine.ConnectAsync(
            NetAddress.Parse(await Rendezvous.FindAsync(PlaceOf(options, name), s_deadline, cancellationToken)), TimeSpan.FromSeconds(20), cancellationToken: cancellationToken);

    private static string PlaceOf(SampleOptions options, string name) => $"file:{Path.Combine(options.Place!, name)}";
}
