// Posts a body with the JDK's HttpClient, which offers `Upgrade: h2c` on plain http, and prints what it was answered.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;

public class Posts {
    public static void main(String[] arguments) throws Exception {
        String body = "0123456789".repeat(Integer.parseInt(arguments[2]) / 10);
        URI uri = URI.create("http://" + arguments[0] + ":" + arguments[1] + "/api/p/jdk");
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
        List<String> results = new ArrayList<>();
        for (boolean chunked : new boolean[] {false, true, false}) {
            byte[] bytes = body.getBytes();
            var sent = chunked ? BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes)) : BodyPublishers.ofByteArray(bytes);
            var answer = client.send(HttpRequest.newBuilder(uri).POST(sent).build(), BodyHandlers.ofString());
            results.add("[" + answer.statusCode() + ", \"" + answer.body() + "\"]");
        }
        System.out.println("[" + String.join(", ", results) + "]");
    }
}
