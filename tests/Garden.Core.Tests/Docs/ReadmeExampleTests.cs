using Garden.Fabric.Loopback;
using Garden.KvCache;

namespace Garden.Core.Tests.Docs;

/// <summary>DeepSeek-V3's latent cache.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 61, LatentSize = 576, TokensPerPage = 64)]
public partial struct LatentPages;

public class ReadmeExampleTests
{
    [Fact]
    public async Task The_example_of_the_readme_runs_as_it_stands_there()
    {
        // <readme>
        using var source = new NativeBuffer(LatentPages.PoolBytes(16));
        using var destination = new NativeBuffer(LatentPages.PoolBytes(16));
        var network = new LoopbackNetwork();
        await using TransferEngine prefill = TransferEngine.CreateBuilder().UseLoopback(network, "prefill").Build();
        await using TransferEngine decode = TransferEngine.CreateBuilder().UseLoopback(network, "decode").Build();
        await using var prefiller = new KvPrefiller<LatentPages.Transfer>(prefill, new() { Pool = prefill.Register(source), PoolPages = 16 });
        await using var decoder = new KvDecoder<LatentPages.Transfer>(decode, new() { Pool = decode.Register(destination), PoolPages = 16 });
        var sourcePages = new KvPagePool(16);
        var destinationPages = new KvPagePool(16);

        // Decode side: 1000 tokens into 16 leased pages.
        Peer peer = await decode.ConnectAsync(prefill.Address);
        Task<KvDelivery> request = decoder.RequestAsync(peer, new() { Pages = destinationPages.TryLease(16)!, TokenCount = 1000 });

        // Prefill side: each layer leaves as soon as the model has computed it.
        await foreach (KvPrefillJob<LatentPages.Transfer> job in prefiller.ReadJobsAsync())
        {
            await using (job)
            {
                job.UsePages(sourcePages.TryLease(job.PageCount)!);
                for (int layer = 0; layer < job.LayerCount; layer++)
                    job.LayerDone(job.FirstLayer + layer);
                await job.FinishAsync(default);
            }

            break;
        }

        KvDelivery delivery = await request; // every byte is visible now: 61 layers × 16 pages × 73 728 bytes
        // </readme>
        Assert.Equal(61L * 16 * 73_728, delivery.Bytes);
    }

    [Fact]
    public void The_readme_shows_the_code_that_is_tested() => Snippets.AssertShown("README.md", "readme");
}
