using System.Text.Json;

namespace KvStreaming;

/// <summary>Reads requests from JSONL: one object {timestamp, input_length, output_length, hash_ids} a line.</summary>
internal static class TraceReader
{
    public static List<PromptRequest> Read(FileInfo file, int? most)
    {
        if (!file.Exists)
            throw new UsageException($"There is no trace file \"{file.FullName}\".");
        var requests = new List<PromptRequest>();
        int number = 0;
        foreach (string line in File.ReadLines(file.FullName))
        {
            number++;
            if (requests.Count == most)
                break;
            if (!string.IsNullOrWhiteSpace(line))
                requests.Add(Parse(line, $"{file.Name} line {number}"));
        }

        return requests.Count > 0 ? requests : throw new UsageException($"{file.Name} holds no requests.");
    }

    private static PromptRequest Parse(string line, string where)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            int length = root.GetProperty("input_length").GetInt32();
            long[] blocks = [.. root.GetProperty("hash_ids").EnumerateArray().Select(id => id.GetInt64())];
            long expected = ((long)length + PromptRequest.TokensPerBlock - 1) / PromptRequest.TokensPerBlock;
            if (length <= 0 || blocks.Length != expected)
                throw new UsageException($"{where}: {length} tokens need {expected} hash_ids, got {blocks.Length}.");
            return new PromptRequest(root.GetProperty("timestamp").GetInt64(), length, blocks);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UsageException($"{where}: {exception.Message}");
        }
    }
}
